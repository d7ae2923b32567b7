# SPDX-License-Identifier: BSD-3-Clause
"""What is known about the values of the reference, for the modules that Cython compiles (``refc_source``).

A type is a tuple: ("u", n) a number of at most n bits, 64 or fewer; ("w",) one that C arithmetic gives right
modulo 2^64 only; ("i",) an int that may be negative or larger; ("b",) a bool; ("c", module, name) a record;
("list", t), ("dict", t), ("tuple", ts); ("row", t) a tuple, range or another sequence of t; ("n",) None;
("o",) any object. None is what no assignment has reached yet.

The types of parameters, results, locals and fields of NamedTuples are the join of all that reaches them: the
program is gone over until nothing changes. Fields of dataclasses that are ints are registers and words:
64 bits. Where an object is stored as a number, it is checked: a negative or larger one raises OverflowError.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Type = tuple[Any, ...] | None
Key = tuple[str, str]

OBJECT: Type = ("o",)
BOOL: Type = ("b",)
NONE: Type = ("n",)
MODULAR: Type = ("w",)
INT: Type = ("i",)
WORD: Type = ("u", 64)
REF = "pyexit.ref"

#: Parameters of which a function looks at the low 64 bits only, as it cuts them to a register.
REDUCED = {
    (f"{REF}.hw.core", "ulong"): "value",
    (f"{REF}.hw.core", "ea_of"): "ea",
    (f"{REF}.hw.core", "kept"): "value",
    (f"{REF}.hw.core", "set_mas"): "value",
    (f"{REF}.hw.core", "ppc_mtspr"): "value",
}

#: Names of what may hold an error number of the kernel, which is negative.
SIGNED = ("ret", "result", "r")


def is_number(kind: Type) -> bool:
    """Whether a type is that of exact numbers."""
    return kind is not None and kind[0] == "u"


def bits_of(kind: Type) -> int:
    """The most bits of an exact number."""
    assert kind is not None
    return int(kind[1])


def join(a: Type, b: Type) -> Type:
    """The type of what is one or the other."""
    if a is None or b is None or a == b:
        return b if a is None else a
    kinds = a[0], b[0]
    if kinds == ("u", "u"):
        return "u", max(a[1], b[1])
    if set(kinds) <= {"u", "w", "i"}:
        return INT if "i" in kinds else MODULAR
    if kinds[0] == kinds[1] and kinds[0] in ("list", "dict", "row"):
        return kinds[0], join(a[1], b[1])
    if kinds == ("tuple", "tuple") and len(a[1]) == len(b[1]):
        return "tuple", tuple(join(x, y) for x, y in zip(a[1], b[1], strict=True))
    for one, other in ((a, b), (b, a)):
        if one[0] == "n" and other[0] in ("c", "list", "dict", "tuple"):
            return other
    return OBJECT


def reached(old: Type, found: Type) -> Type:
    """The type of what is annotated as an int: an unknown value is checked when it is stored."""
    if found in (MODULAR, INT):
        return join(old, INT)
    if found == BOOL:
        return join(old, ("u", 1))
    return join(old, WORD if found == OBJECT else found)


def exact(bits: int) -> Type:
    """A number of so many bits, if these are no more than 64."""
    return ("u", bits) if bits <= 64 else MODULAR


@dataclass
class Field:
    """One field of a record."""

    name: str
    annotation: ast.expr
    default: ast.expr | None
    factory: ast.expr | None
    type: Type = None
    inherited: bool = False


@dataclass
class Record:
    """A dataclass or NamedTuple."""

    module: str
    name: str
    node: ast.ClassDef
    is_tuple: bool
    fields: dict[str, Field] = field(default_factory=dict)
    base: str = ""
    compiled: bool = True

    def arguments(self, node: ast.Call) -> list[ast.expr] | None:
        """The arguments of a call of the type, in order and complete; None where they cannot be told."""
        names, defaults = list(self.fields), [item.default for item in self.fields.values()]
        if any(item.factory for item in self.fields.values()):
            return None
        return arranged(node, names, defaults)


@dataclass
class Function:
    """A function of a module; `direct`: it becomes a C function."""

    module: str
    name: str
    node: ast.FunctionDef
    direct: bool
    escapes: bool = False
    params: dict[str, Type] = field(default_factory=dict)
    result: Type = None
    locals: dict[str, Type] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)  # the names that it binds

    def reduces(self, name: str) -> bool:
        """Whether a parameter is taken modulo 2^64."""
        return REDUCED.get((self.module, self.name)) == name

    def arguments(self, node: ast.Call) -> list[ast.expr] | None:
        """The arguments of a call in order; None where they cannot be told."""
        missing = len(self.params) - len(self.node.args.defaults)
        defaults = [*[None] * missing, *self.node.args.defaults]
        return arranged(node, list(self.params), defaults)


def arranged(node: ast.Call, names: list[str], defaults: list[ast.expr | None]) -> list[ast.expr] | None:
    """Arguments by position: those given, then by keyword, then what is left out if it is a literal."""
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(not item.arg for item in node.keywords):
        return None
    given = dict(zip(names, node.args, strict=False)) | {str(item.arg): item.value for item in node.keywords}
    result = []
    for name, default in zip(names, defaults, strict=True):
        value = given.get(name)
        if value is None:
            if not isinstance(default, ast.Constant):
                return None
            value = deepcopy(default)
        result.append(value)
    return result


def consumed(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a generator expression is used up where it stands, so that a list does as well."""
    parent = parents.get(node)
    if isinstance(parent, ast.Starred):
        return True
    if not isinstance(parent, ast.Call):
        return False
    func = parent.func
    name = func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")
    return name in ("tuple", "list", "sum", "max", "min", "join", "sorted", "set", "dict")


class _Lists(ast.NodeTransformer):
    """Generator expressions that are used up at once become lists: a C function can have those."""

    def __init__(self, tree: ast.AST) -> None:
        self.parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        """The list, if all of it is wanted."""
        used = consumed(node, self.parents)
        self.generic_visit(node)
        return ast.ListComp(node.elt, node.generators) if used else node


class Module:
    """One module of the reference: its tree, and what its names stand for."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name = name
        self.tree: ast.Module = _Lists(tree).visit(tree)
        self.imported: dict[str, Key] = {}
        self.others: dict[str, Key] = {}  # names from outside of the reference
        for stmt in self.tree.body:
            if isinstance(stmt, ast.ImportFrom):
                inside = (stmt.module or "").startswith(REF)
                names = self.imported if inside else self.others
                names.update({item.asname or item.name: (str(stmt.module), item.name) for item in stmt.names})
        self.sees: set[str] = set()  # modules that are loaded before this one

    def resolve(self, name: str) -> Key:
        """Where a name of this module is defined."""
        return self.imported.get(name) or self.others.get(name) or (self.name, name)


class Program:
    """The whole reference, and the types of its values."""

    def __init__(self, root: Path) -> None:
        self.modules: dict[str, Module] = {}
        self.packages = {REF}
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[-1] == "__init__":
                self.packages.add(".".join([REF, *parts[:-1]]))
                continue
            name = ".".join([REF, *parts])
            self.modules[name] = Module(name, ast.parse(path.read_text(encoding="utf-8"), str(path)))
        self.flags: dict[Key, dict[str, int]] = {}
        self.records: dict[Key, Record] = {}
        self.functions: dict[Key, Function] = {}
        self.constants: dict[Key, int] = {}
        self.globals: dict[Key, Type] = {}
        self.factories: set[Key] = set()  # NamedTuples that are made by a C function
        self.unions: dict[frozenset[Key], Key] = {}
        for module in self._in_order():
            for stmt in module.tree.body:
                self._define(module, stmt)
        self._unite()
        self._find_escapes()
        self._settle()

    def is_package(self, name: str | None) -> bool:
        """Whether a name is that of a package: what is imported from it is a module."""
        return name in self.packages

    def _in_order(self) -> list[Module]:
        """The modules, each behind those that it imports."""
        order: list[Module] = []

        def add(module: Module) -> None:
            if module in order:
                return
            for home, name in module.imported.values():
                other = self.modules.get(home) or self.modules.get(f"{home}.{name}")
                if other is not None and other is not module:
                    add(other)
                    module.sees |= {other.name, *other.sees}
            order.append(module)

        for module in self.modules.values():
            add(module)
        self.modules = {module.name: module for module in order}
        return order

    # Definitions

    def _define(self, module: Module, stmt: ast.stmt) -> None:
        if isinstance(stmt, ast.ClassDef):
            self._define_class(module, stmt)
        elif isinstance(stmt, ast.FunctionDef):
            self._define_function(module, stmt)
        elif isinstance(stmt, ast.Assign) and isinstance(stmt.targets[0], ast.Name):
            key, scope = (module.name, stmt.targets[0].id), Scope(self, module, None)
            value = scope.constant(stmt.value)
            if value is not None:
                self.constants[key] = value

    def _define_class(self, module: Module, node: ast.ClassDef) -> None:
        key, bases = (module.name, node.name), [ast.unparse(base) for base in node.bases]
        decorated = [ast.unparse(item) for item in node.decorator_list]
        if bases == ["Flag"]:
            members = [stmt.targets[0] for stmt in node.body if isinstance(stmt, ast.Assign)]
            names = [target.id for target in members if isinstance(target, ast.Name)]
            self.flags[key] = {name: 1 << place for place, name in enumerate(names)}
            return
        is_tuple = bases == ["NamedTuple"]
        if not is_tuple and not any(text.startswith("dataclass") for text in decorated):
            return
        record = self.records[key] = Record(module.name, node.name, node, is_tuple)
        for stmt in node.body:
            if isinstance(stmt, ast.AnnAssign) and isinstance(stmt.target, ast.Name):
                record.fields[stmt.target.id] = self._field(module, record, stmt.target.id, stmt)

    def _field(self, module: Module, record: Record, name: str, stmt: ast.AnnAssign) -> Field:
        default, factory = stmt.value, None
        if isinstance(default, ast.Call) and ast.unparse(default.func) == "field":
            factory, default = default.keywords[0].value, None
        elif isinstance(default, ast.Call) and module.resolve(ast.unparse(default.func)) in self.flags:
            default = default.args[0]
        return Field(name, stmt.annotation, default, factory)

    def _define_function(self, module: Module, node: ast.FunctionDef) -> None:
        args = node.args
        closures = (ast.Lambda, ast.FunctionDef, ast.GeneratorExp, ast.Yield, ast.YieldFrom)
        inner = [part for part in ast.walk(node) if isinstance(part, closures) and part is not node]
        literals = all(isinstance(default, ast.Constant) for default in args.defaults)
        shadowed = node.name in (arg.arg for arg in args.args)
        plain = not (args.vararg or args.kwarg or args.kwonlyargs or shadowed)
        function = Function(module.name, node.name, node, plain and literals and not inner)
        function.params = {arg.arg: None for arg in args.args}
        every = [*args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
        function.bound = {*_targets(node), *(arg.arg for arg in every)}
        self.functions[module.name, node.name] = function

    def _unite(self) -> None:
        """Records of one module that stand for each other get a base with the fields that they share."""
        for module in self.modules.values():
            for node in ast.walk(module.tree):
                if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)):
                    continue
                keys = [module.resolve(part.strip()) for part in ast.unparse(node).split("|")]
                records = [self.records[key] for key in keys if key in self.records]
                if len(records) == len(keys) == 2 and records[0].module == records[1].module:
                    self._unite_records(frozenset(keys), records)

    def _unite_records(self, keys: frozenset[Key], records: list[Record]) -> None:
        first, second = records
        if keys in self.unions or list(first.fields) != list(second.fields) or first.is_tuple:
            return
        name = f"_{first.name}Or{second.name}"
        base = ast.parse(f"class {name}: pass").body[0]
        assert isinstance(base, ast.ClassDef)
        shared = Record(first.module, name, base, False, {n: deepcopy(f) for n, f in first.fields.items()})
        for item in shared.fields.values():
            item.default, item.factory = ast.Constant(None), None
        self.unions[keys] = first.module, name
        self.records[first.module, name] = shared
        for record in records:
            record.base = name
            for item in record.fields.values():
                item.inherited = True
        body = self.modules[first.module].tree.body
        body.insert(body.index(first.node), base)

    # Types of annotations

    def annotated(self, module: Module, node: ast.expr | None) -> Type:
        """The type that an annotation says; a number only by its words: None, as it is to be found out."""
        if node is None:
            return OBJECT
        if isinstance(node, ast.Constant):
            return NONE if node.value is None else OBJECT
        if isinstance(node, ast.Name):
            key = module.resolve(node.id)
            if node.id == "int" or key in self.flags:
                return None
            if node.id == "bool":
                return BOOL
            return ("c", *key) if key in self.records else OBJECT
        if isinstance(node, ast.BinOp):
            keys = frozenset(module.resolve(part.strip()) for part in ast.unparse(node).split("|"))
            if keys in self.unions:
                return ("c", *self.unions[keys])
            sides = [self.annotated(module, side) for side in (node.left, node.right)]
            return join(*sides) if None not in sides else OBJECT
        if isinstance(node, ast.Subscript):
            return self._annotated_generic(module, node)
        return OBJECT

    def _annotated_generic(self, module: Module, node: ast.Subscript) -> Type:
        name = ast.unparse(node.value)
        if name == "list":
            return "list", self.annotated(module, node.slice) or OBJECT
        if name == "dict" and isinstance(node.slice, ast.Tuple):
            return "dict", self.annotated(module, node.slice.elts[1]) or OBJECT
        return OBJECT

    # Inference

    def _find_escapes(self) -> None:
        """Functions and records that are used as objects: who calls them is not known."""
        for module in self.modules.values():
            called = {id(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
            hints = set(_annotations(module.tree))
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Name) and id(node) not in called and id(node) not in hints:
                    function = self.functions.get(module.resolve(node.id))
                    if function is not None and isinstance(node.ctx, ast.Load):
                        function.escapes = True
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    home, name = module.imported.get(node.value.id, ("", ""))
                    function = self.functions.get((f"{home}.{name}", node.attr))
                    if function is not None:
                        function.escapes = True
        for function in self.functions.values():
            if function.module.endswith((".api", ".memory")) or function.name == "params":
                function.escapes = True
            if not function.direct:
                function.escapes = True

    def _settle(self) -> None:
        for record in self.records.values():
            for item in record.fields.values():
                item.type = self.annotated(self.modules[record.module], item.annotation)
                if not record.is_tuple:
                    item.type = _words(item.type)
                if item.type is None and item.name in SIGNED:
                    item.type = INT
            if record.is_tuple and not any(item.factory for item in record.fields.values()):
                self.factories.add((record.module, record.name))
        for function in self.functions.values():
            self._begin(function)
        while self._sweep():
            pass

    def _begin(self, function: Function) -> None:
        module = self.modules[function.module]
        for arg in function.node.args.args:
            kind = self.annotated(module, arg.annotation)
            if kind is None and arg.arg in SIGNED:
                kind = INT
            if kind is None and (function.escapes or function.reduces(arg.arg)):
                kind = WORD
            function.params[arg.arg] = kind
        function.result = self.annotated(module, function.node.returns)
        if function.result is not None and function.result[0] in ("n", "o"):
            function.result = OBJECT

    def _sweep(self) -> bool:
        """Go over the program once; whether a type has changed."""
        before = self._summary()
        for module in self.modules.values():
            outside = Scope(self, module, None)
            for stmt in module.tree.body:
                if isinstance(stmt, ast.FunctionDef):
                    self._sweep_function(module, self.functions[module.name, stmt.name])
                    continue
                self._sweep_calls(outside, stmt)
                targets = [stmt.target] if isinstance(stmt, ast.AnnAssign) else getattr(stmt, "targets", [])
                if len(targets) == 1 and isinstance(targets[0], ast.Name) and getattr(stmt, "value", None):
                    kind = outside.infer(stmt.value)  # type: ignore[attr-defined]
                    if isinstance(stmt, ast.AnnAssign):
                        kind = self.annotated(module, stmt.annotation)
                    if kind is not None and kind[0] in ("list", "dict", "row", "c"):
                        self.globals[module.name, targets[0].id] = kind
        return self._summary() != before

    def _summary(self) -> str:
        functions = [(f.params, f.result, f.locals) for f in self.functions.values()]
        records = [[item.type for item in record.fields.values()] for record in self.records.values()]
        return repr((functions, records, self.globals))

    def _sweep_function(self, module: Module, function: Function) -> None:
        scope = Scope(self, module, function)
        for name, kind in scope.assignments(function.node):
            if name not in function.params or is_number(function.params[name]):
                old = function.params if name in function.params else function.locals
                if name in function.params:
                    old[name] = reached(old[name], kind)
                else:
                    old[name] = join(old.get(name), INT if kind == MODULAR else kind)
        wants_number = function.result is None or is_number(function.result)
        for node in own_nodes(function.node):
            if isinstance(node, ast.Return) and node.value is not None and wants_number:
                kind = scope.infer(node.value)
                # The kernel's functions return error numbers too: what is not known may be negative.
                function.result = reached(function.result, INT if kind == OBJECT else kind)
        self._sweep_calls(scope, function.node)

    def _sweep_calls(self, scope: Scope, root: ast.AST) -> None:
        for node, inside in calls_in(root, scope):
            if isinstance(node.func, ast.Name):
                key = scope.module.resolve(node.func.id)
                self._reach(inside, node, self.functions.get(key), self.records.get(key))
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "_replace":
                kind = inside.infer(node.func.value)
                record = self.records.get(kind[1:]) if kind is not None and kind[0] == "c" else None
                if record is None:
                    continue
                for item in node.keywords:
                    self._reach_field(inside, record.fields[str(item.arg)], item.value)

    def _reach(self, scope: Scope, node: ast.Call, function: Function | None, record: Record | None) -> None:
        if function is not None:
            args = function.arguments(node)
            if args is None:
                for name, kind in function.params.items():
                    function.params[name] = reached(kind, WORD) if kind is None or is_number(kind) else kind
                function.direct = function.direct and not any(isinstance(a, ast.Starred) for a in node.args)
                return
            for (name, kind), arg in zip(function.params.items(), args, strict=False):
                if not function.reduces(name) and (kind is None or is_number(kind)):
                    function.params[name] = reached(kind, scope.infer(arg))
        if record is not None and record.is_tuple:
            args = record.arguments(node)
            for place, item in enumerate(record.fields.values()):
                if args is not None:
                    self._reach_field(scope, item, args[place])
                elif item.type is None or is_number(item.type):
                    item.type = reached(item.type, WORD)

    def _reach_field(self, scope: Scope, item: Field, value: ast.expr) -> None:
        if item.type is None or is_number(item.type):
            item.type = reached(item.type, scope.infer(value))


def _words(kind: Type) -> Type:
    """A dataclass field: its ints are words."""
    if kind is None:
        return WORD
    return ("list", WORD) if kind == ("list", OBJECT) else kind


def _annotations(tree: ast.AST) -> Iterator[int]:
    """The names in annotations."""
    for node in ast.walk(tree):
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(hint, ast.expr):
                yield from (id(part) for part in ast.walk(hint))


_SCOPES = (ast.FunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function that are not in one inside of it."""
    for child in ast.iter_child_nodes(root):
        if not isinstance(child, _SCOPES):
            yield child
            yield from own_nodes(child)


def calls_in(root: ast.AST, scope: Scope) -> Iterator[tuple[ast.Call, Scope]]:
    """All calls, each with what is known where it stands."""
    for child in ast.iter_child_nodes(root):
        inside = scope
        if isinstance(child, _SCOPES) and child is not scope.node:
            inside = scope.inner(child)
        elif isinstance(child, _COMPREHENSIONS):
            inside = scope.inside(child)
        if isinstance(child, ast.Call):
            yield child, inside
        yield from calls_in(child, inside)


class Scope:
    """What names stand for in a module, a function, a function in it, or a comprehension."""

    def __init__(self, program: Program, module: Module, function: Function | None) -> None:
        self.program, self.module, self.function = program, module, function
        self.node: ast.AST | None = function.node if function else None
        self.is_outermost = True
        self._objects: dict[str, Type] = {}  # names that are objects here, whatever the function says
        self._names: set[str] = set()
        if function is not None:
            self._names = function.bound

    def inner(self, node: Any) -> Scope:
        """In a function or lambda inside of this one: parameters and locals are objects, ints words."""
        made = self.inside(None)
        made.node, made.is_outermost = node, False
        args = node.args
        every = [*args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
        for arg in every:
            plain = arg in args.args
            kind = self.program.annotated(self.module, arg.annotation) if plain and arg.annotation else OBJECT
            made._objects[arg.arg] = kind or WORD
        made._objects |= dict.fromkeys(_targets(node), OBJECT)
        return made

    def inside(self, node: Any) -> Scope:
        """In a comprehension: its targets are objects of known type."""
        made = Scope(self.program, self.module, self.function)
        made.node, made.is_outermost, made._objects = self.node, self.is_outermost, dict(self._objects)
        for part in node.generators if node is not None else ():
            for name, kind in made._bound(part.target, element(made.infer(part.iter))):
                made._objects[name] = kind
        return made

    def is_local(self, name: str) -> bool:
        """Whether a name is bound in the function."""
        return name in self._objects or name in self._names

    def declared_locals(self) -> dict[str, Type]:
        """The locals, by name, that can be declared to Cython; none in a function that others close over."""
        function = self.function
        if function is None or not function.direct:
            return {}
        kinds = {name: kind for name, kind in function.locals.items() if name not in function.params}
        return {
            name: kind
            for name, kind in kinds.items()
            if kind is not None and kind[0] in ("u", "c", "list", "dict")
        }

    # Assignments

    def assignments(self, root: ast.AST) -> Iterator[tuple[str, Type]]:
        """The names that a function binds, with the type of each binding."""
        for node in own_nodes(root):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    yield from self._bound_to(target, node.value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                kind = self.program.annotated(self.module, node.annotation)
                yield from self._bound(node.target, self.infer(node.value) if kind is None else kind)
            elif isinstance(node, ast.AugAssign):
                read = ast.parse(ast.unparse(node.target), mode="eval").body
                yield from self._bound(node.target, self.infer(ast.BinOp(read, node.op, node.value)))
            elif isinstance(node, ast.For):
                yield from self._bound(node.target, element(self.infer(node.iter)))
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                yield from self._bound(node.optional_vars, OBJECT)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                yield node.name, OBJECT
            elif isinstance(node, ast.NamedExpr):
                yield from self._bound(node.target, self.infer(node.value))
            elif isinstance(node, ast.ImportFrom):
                yield from ((item.asname or item.name, OBJECT) for item in node.names)

    def _bound_to(self, target: ast.expr, value: ast.expr) -> Iterator[tuple[str, Type]]:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, other in zip(target.elts, value.elts, strict=False):
                yield from self._bound_to(one, other)
        else:
            yield from self._bound(target, self.infer(value))

    def _bound(self, target: ast.expr, kind: Type) -> Iterator[tuple[str, Type]]:
        if isinstance(target, ast.Name):
            yield target.id, kind
        elif isinstance(target, ast.Starred):
            yield from self._bound(target.value, OBJECT)
        elif isinstance(target, ast.Tuple):
            known = kind is not None and kind[0] == "tuple" and len(kind[1]) == len(target.elts)
            kinds = kind[1] if known and kind is not None else [OBJECT if kind else None] * len(target.elts)
            for one, part in zip(target.elts, kinds, strict=True):
                yield from self._bound(one, part)

    # Constants

    def constant(self, node: ast.expr) -> int | None:
        """The value of an expression of literals and constants; None for another."""
        if isinstance(node, ast.Constant):
            return node.value if type(node.value) is int else None
        if isinstance(node, ast.Name) and not self.is_local(node.id):
            return self.program.constants.get(self.module.resolve(node.id))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self.program.flags.get(self.module.resolve(node.value.id), {}).get(node.attr)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert):
            value = self.constant(node.operand)
            return None if value is None else -value if isinstance(node.op, ast.USub) else ~value
        if isinstance(node, ast.BinOp):
            left, right = self.constant(node.left), self.constant(node.right)
            if left is None or right is None or type(node.op) not in _FOLD:
                return None
            return int(_FOLD[type(node.op)](left, right))
        return None

    def is_flag(self, node: ast.expr) -> bool:
        """Whether an expression is of flags."""
        names = [part.value for part in ast.walk(node) if isinstance(part, ast.Attribute)]
        found = [name for name in names if isinstance(name, ast.Name)]
        return any(self.module.resolve(name.id) in self.program.flags for name in found)

    # Types

    def infer(self, node: ast.expr) -> Type:
        """The type of an expression."""
        value = self.constant(node)
        if value is not None:
            return exact(value.bit_length()) if value >= 0 else MODULAR
        found: Type = getattr(self, f"_infer_{type(node).__name__.lower()}", self._unknown)(node)
        return found

    def _unknown(self, node: ast.expr) -> Type:
        return OBJECT

    def _infer_constant(self, node: ast.Constant) -> Type:
        return BOOL if isinstance(node.value, bool) else NONE if node.value is None else OBJECT

    def _infer_name(self, node: ast.Name) -> Type:
        if node.id in self._objects:
            return self._objects[node.id]
        function = self.function
        if function is not None and node.id in self._names:
            return function.params[node.id] if node.id in function.params else function.locals.get(node.id)
        return self.program.globals.get(self.module.resolve(node.id), OBJECT)

    def _infer_attribute(self, node: ast.Attribute) -> Type:
        kind = self.infer(node.value)
        if kind is None:
            return None
        record = self.program.records.get(kind[1:]) if kind[0] == "c" else None
        return record.fields[node.attr].type if record and node.attr in record.fields else OBJECT

    def _infer_subscript(self, node: ast.Subscript) -> Type:
        kind = self.infer(node.value)
        if kind is None:
            return None
        if isinstance(node.slice, ast.Slice):
            return kind if kind[0] == "list" else OBJECT
        if kind[0] == "tuple":
            at = self.constant(node.slice)
            return kind[1][at] if at is not None else OBJECT
        found: Type = kind[1] if kind[0] in ("list", "dict", "row") else OBJECT
        return found

    def _infer_call(self, node: ast.Call) -> Type:
        func = node.func
        if isinstance(func, ast.Attribute):
            kind = self.infer(func.value)
            if func.attr in ("get", "_replace", "copy") and kind is not None:
                return kind[1] if func.attr == "get" and kind[0] == "dict" else kind
            return OBJECT if kind is not None else None
        if not isinstance(func, ast.Name) or self.is_local(func.id):
            return OBJECT
        key = self.module.resolve(func.id)
        if key in self.program.flags:
            return self.infer(node.args[0])
        if key in self.program.functions:
            return self.program.functions[key].result
        if key in self.program.records:
            return ("c", *key)
        if key == ("dataclasses", "replace"):
            return self.infer(node.args[0])
        return self._infer_builtin(func.id, [self.infer(arg) for arg in node.args])

    def _infer_builtin(self, name: str, kinds: list[Type]) -> Type:
        if not hasattr(builtins, name):
            return OBJECT
        if name == "int" and len(kinds) == 1:
            return reached(None, kinds[0]) if kinds[0] not in (None, OBJECT) else kinds[0]
        if name == "bool":
            return BOOL
        if name == "len":
            return "u", 63
        if name in ("max", "min") and len(kinds) > 1 and None not in kinds:
            if not all(map(is_number, kinds)):
                return INT
            bits = [bits_of(kind) for kind in kinds]
            return "u", max(bits) if name == "max" else min(bits)
        if name == "range" and kinds and len(kinds) < 3:
            if kinds[-1] is None or (len(kinds) == 2 and not is_number(kinds[0])):
                return None if None in kinds else OBJECT
            return "row", kinds[-1] if is_number(kinds[-1]) else WORD
        if name == "tuple" and len(kinds) == 1:
            return None if kinds[0] is None else ("row", element(kinds[0]))
        if name == "enumerate":
            return "row", ("tuple", (("u", 63), element(kinds[0])))
        return None if None in kinds and name in ("max", "min") else OBJECT

    def _infer_compare(self, node: ast.Compare) -> Type:
        return BOOL

    def _infer_boolop(self, node: ast.BoolOp) -> Type:
        kinds = [self.infer(value) for value in node.values]
        if all(kind == BOOL for kind in kinds):
            return BOOL
        found = None
        for kind in kinds:
            found = join(found, kind)
        return OBJECT if is_number(found) or found == MODULAR else found

    def _infer_unaryop(self, node: ast.UnaryOp) -> Type:
        if isinstance(node.op, ast.Not):
            return BOOL
        kind = self.infer(node.operand)
        if kind is None:
            return None
        inverts = isinstance(node.op, ast.Invert) and (is_number(kind) or kind == MODULAR)
        return MODULAR if inverts else INT

    def _infer_ifexp(self, node: ast.IfExp) -> Type:
        return join(self.infer(node.body), self.infer(node.orelse))

    def _infer_tuple(self, node: ast.Tuple) -> Type:
        if any(isinstance(item, ast.Starred) for item in node.elts):
            return OBJECT
        return "tuple", tuple(self.infer(item) for item in node.elts)

    def _infer_list(self, node: ast.List) -> Type:
        found = None
        for item in node.elts:
            found = join(found, OBJECT if isinstance(item, ast.Starred) else self.infer(item))
        return "list", found or OBJECT

    def _infer_listcomp(self, node: ast.ListComp) -> Type:
        return "list", self.inside(node).infer(node.elt) or OBJECT

    def _infer_dict(self, node: ast.Dict) -> Type:
        found = None
        for key, value in zip(node.keys, node.values, strict=True):
            kind = self.infer(value)
            found = join(found, kind if key is not None else element(kind) or OBJECT)
        return "dict", OBJECT if found is None or is_number(found) else found

    def _infer_dictcomp(self, node: ast.DictComp) -> Type:
        return "dict", self.inside(node).infer(node.value) or OBJECT

    def _infer_binop(self, node: ast.BinOp) -> Type:
        left, right = self.infer(node.left), self.infer(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.BitAnd):
            return _and(left, right)
        if not all(is_number(kind) or kind == MODULAR for kind in (left, right)):
            signed = INT in (left, right) or MODULAR in (left, right) or isinstance(node.op, ast.Sub)
            return INT if signed else OBJECT
        return self._arithmetic(node, left, right)

    def _arithmetic(self, node: ast.BinOp, left: Type, right: Type) -> Type:
        both = is_number(left) and is_number(right)
        a, b = (bits_of(left), bits_of(right)) if both else (65, 65)
        count = self.constant(node.right)
        match node.op:
            case ast.BitOr() | ast.BitXor():
                return exact(max(a, b))
            case ast.Add():
                return exact(max(a, b) + 1)
            case ast.Mult():
                return exact(a + b)
            case ast.Sub():
                return MODULAR
            case ast.LShift() if is_number(right):
                most = count if count is not None else (1 << min(b, 8)) - 1 if both else 65
                return exact(a + most)
            case ast.RShift() if both:
                return "u", max(a - (count or 0), 1)
            case ast.FloorDiv() if both:
                return "u", a
            case ast.Mod() if both:
                return "u", min(a, b)
        return INT

    # Forms

    def modular(self, node: ast.expr) -> bool:
        """Whether an expression can be had modulo 2^64 in C."""
        kind = self.infer(node)
        return is_number(kind) or kind == MODULAR

    def in_c(self, node: ast.expr) -> bool:
        """Whether an expression that is a number, or a place for one, is a C variable as it is written."""
        if self.constant(node) is not None or not (
            is_number(self.infer(node)) or isinstance(node, ast.BinOp)
        ):
            return False
        if isinstance(node, ast.Name | ast.Attribute):
            return self._place_in_c(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            function = self.program.functions.get(self.module.resolve(node.func.id))
            if function is not None:
                return function.direct
            return node.func.id in ("max", "min", "len") or (
                node.func.id == "int" and self.in_c(node.args[0])
            )
        if isinstance(node, ast.BinOp):
            return is_number(self.infer(node)) and self._leaf_in_c(node)
        if isinstance(node, ast.IfExp):
            return self.in_c(node.body) and self.in_c(node.orelse)
        return False

    def _place_in_c(self, node: ast.Name | ast.Attribute) -> bool:
        """Whether a name is a C variable, or an attribute a field of a record."""
        if isinstance(node, ast.Attribute):
            kind = self.infer(node.value)
            return kind is not None and kind[0] == "c"
        function = self.function
        return function is not None and function.direct and self.is_outermost and node.id not in self._objects

    def _leaf_in_c(self, node: ast.expr) -> bool:
        """Whether a part of an operation is in C, so that the whole had better be."""
        if isinstance(node, ast.BinOp):
            sides = (node.left, node.right)
            return all(map(self.modular, sides)) and any(map(self._leaf_in_c, sides))
        if isinstance(node, ast.UnaryOp):
            return self._leaf_in_c(node.operand)
        return self.in_c(node)

    def is_typed(self, node: ast.expr) -> bool:
        """Whether Cython knows by itself that an expression is a record."""
        if isinstance(node, ast.Name | ast.Attribute):
            return self._place_in_c(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            function = self.program.functions.get(self.module.resolve(node.func.id))
            return function is not None and function.direct
        return False


def _and(left: Type, right: Type) -> Type:
    """A mask cuts to its own width, whatever it is laid on."""
    if is_number(left) and is_number(right):
        return "u", min(bits_of(left), bits_of(right))
    if is_number(left) or is_number(right):
        return left if is_number(left) else right
    if left == right == MODULAR:
        return MODULAR
    return OBJECT if OBJECT in (left, right) else INT


def element(kind: Type) -> Type:
    """What iteration gives."""
    if kind is None:
        return None
    if kind[0] in ("list", "row"):
        found: Type = kind[1]
        return found
    if kind[0] == "tuple":
        joined: Type = None
        for part in kind[1]:
            joined = join(joined, part)
        return joined or OBJECT
    return OBJECT


def _targets(root: ast.AST) -> set[str]:
    """The names that a function binds."""
    if isinstance(root, ast.Lambda):
        return set()
    names = {
        node.id for node in own_nodes(root) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names |= {node.name for node in ast.walk(root) if isinstance(node, ast.ExceptHandler) and node.name}
    for node in ast.walk(root):
        if isinstance(node, ast.ImportFrom):
            names |= {item.asname or item.name for item in node.names}
        if isinstance(node, ast.FunctionDef) and node is not root:
            names.add(node.name)
    return names


_FOLD: dict[type[ast.operator], Any] = {
    ast.BitOr: lambda a, b: a | b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitXor: lambda a, b: a ^ b,
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.LShift: lambda a, b: a << b,
    ast.RShift: lambda a, b: a >> b,
    ast.FloorDiv: lambda a, b: a // b,
}
