# SPDX-License-Identifier: BSD-3-Clause
"""What Cython compiles for pyexit.refc: the reference's own modules, with the types that follow from them.

The annotations of pyexit/ref say what is a record and what a number; which numbers never leave 0..2^64-1 is
worked out over the whole program (``refc_types``). Nothing else changes: a number that may leave that range,
or a shift whose count is not known, stays Python's own arithmetic, and a store that does not fit raises.
A dataclass or NamedTuple becomes an extension type, a Flag its numbers, a plain function a C function.
"""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import Any

# Run by path, as build_core.py is: there is no package to import yet.
_types: Any = runpy.run_path(str(Path(__file__).with_name("refc_types.py")))
Program, Scope, Function, Record = (_types[name] for name in ("Program", "Scope", "Function", "Record"))
bits_of, is_number = _types["bits_of"], _types["is_number"]
REF, REFC = "pyexit.ref", "pyexit.refc"

_ULL = "unsigned long long"
_MASK = (1 << 64) - 1

#: Helpers of every compiled module: shifts by a count that is not known before.
_HELPERS = f"""
cdef inline {_ULL} _shl({_ULL} value, {_ULL} count) noexcept:
    return value << count if count < 64 else 0
cdef inline {_ULL} _shr({_ULL} value, {_ULL} count) noexcept:
    return value >> count if count < 64 else 0
"""

#: What every record has besides its fields; a NamedTuple is its values in order as well.
_METHODS = """
def _values(self):
    return ({values})
def __eq__(self, other):
    return self._values() == other._values() if isinstance(other, {name}) else {otherwise}
def _replace(self, **changes):
    return {name}(**{{**dict(zip({names}, self._values())), **changes}})
"""
_TUPLE_METHODS = """
def __iter__(self):
    return iter(self._values())
def __len__(self):
    return {count}
def __getitem__(self, index):
    return self._values()[index]
def __hash__(self):
    return hash(self._values())
"""
#: Makes a dataclass: machines are made seldom, and to parse a hundred arguments one by one is much code.
_INIT = """
def __init__(self, *args, **values):
    {defaults}
    for name, value in [*zip({names}, args), *values.items()]:
        setattr(self, name, value)
"""


def parse(text: str) -> list[ast.stmt]:
    """The statements of some source."""
    return ast.parse(text).body


def expression(text: str) -> ast.expr:
    """The expression of some source."""
    return ast.parse(text, mode="eval").body


def c_type(kind: Any, spelled: dict[tuple[str, str], str]) -> str:
    """How a .pxd file writes a type."""
    match kind:
        case ("u", _):
            return _ULL
        case ("b",):
            return "bint"
        case ("list", _):
            return "list"
        case ("dict", _):
            return "dict"
        case ("c", module, name):
            return spelled.get((module, name), "object")
    return "object"


class Writer(ast.NodeTransformer):
    """Writes one module: its .py as Cython is to compile it, and its .pxd."""

    def __init__(self, program: Any, module: Any) -> None:
        self.program, self.module = program, module
        self.scope: Any = Scope(program, module, None)
        self.spelled: dict[tuple[str, str], str] = {}  # record classes that the .pxd can name
        self.values: set[tuple[str, str]] = set()  # functions of others that are used as objects
        self.pxd: list[str] = []

    # The module

    def files(self) -> tuple[str, str]:
        """The text of the .py and of the .pxd."""
        self._spell()
        body = [made for stmt in self.module.tree.body for made in self._statement(stmt)]
        imports = parse("import cython\n" + "".join(self._imports()))
        future = parse("from __future__ import annotations")
        module = ast.Module([*future, *imports, *body], [])
        head = [
            f"from {REFC}{home.removeprefix(REF)} cimport {name}" for home, name in self.spelled_elsewhere
        ]
        classes = [f"cdef class {name}" for home, name in self.spelled if home == self.module.name]
        text = "\n".join(["# cython: language_level=3", *head, *classes, _HELPERS, *self.pxd])
        return ast.unparse(ast.fix_missing_locations(module)) + "\n", text + "\n"

    def _spell(self) -> None:
        program, name = self.program, self.module.name
        for (home, cls), record in program.records.items():
            if record.compiled:
                self.spelled[home, cls] = cls if home == name else f"_{home.replace('.', '_')}_{cls}"
        #: Types of other modules under a name of their own: two modules have an Entry.
        self.spelled_elsewhere = [
            (home, f"{cls} as {spelled}")
            for (home, cls), spelled in self.spelled.items()
            if home != name and home in self.module.sees
        ]
        for home, cls in [key for key in self.spelled if key[0] != name and key[0] not in self.module.sees]:
            del self.spelled[home, cls]

    def _imports(self) -> list[str]:
        """The imports: C names of what is compiled, objects of the rest; numbers are written out."""
        lines = []
        for local, (home, name) in self.module.imported.items():
            there, key = REFC + home.removeprefix(REF), (home, name)
            function, record = self.program.functions.get(key), self.program.records.get(key)
            alias = f"{name} as {local}" if name != local else name
            if key in self.program.constants or key in self.program.flags:
                continue
            if function is not None and function.direct:
                lines.append(f"from cython.cimports.{there} import {alias}\n")
                if key in self.values:
                    lines.append(f"from {there} import {name} as _object_{local}\n")
            elif record is not None and record.compiled:
                lines.append(f"from cython.cimports.{there} import {alias}\n")
            else:
                lines.append(f"from {there} import {alias}\n")
        for home, name in sorted(self.program.factories):
            if home != self.module.name and home in self.module.sees:
                there = REFC + home.removeprefix(REF)
                lines.append(
                    f"from cython.cimports.{there} import _new_{name} as {self._factory(home, name)}\n"
                )
        return lines

    def _factory(self, home: str, name: str) -> str:
        own = home == self.module.name
        return f"_new_{name}" if own else f"_new_{home.replace('.', '_')}_{name}"

    def _statement(self, stmt: ast.stmt) -> list[ast.stmt]:
        key = self.module.name, getattr(stmt, "name", "")
        if isinstance(stmt, ast.ImportFrom) and (stmt.module or "").startswith(REF):
            return (
                parse(f"from {REFC}{str(stmt.module).removeprefix(REF)} import {stmt.names[0].name}")
                if (self.program.is_package(stmt.module))
                else []
            )
        if isinstance(stmt, ast.ImportFrom) and stmt.module == "__future__":
            return []
        if isinstance(stmt, ast.ClassDef):
            if key in self.program.flags:
                return []
            record = self.program.records.get(key)
            return self._record(record) if record is not None and record.compiled else [self.visit(stmt)]
        if isinstance(stmt, ast.FunctionDef):
            return [self._function(self.program.functions[key])]
        return [self.visit(stmt)]

    # Records

    def _record(self, record: Any) -> list[ast.stmt]:
        name, names = record.name, list(record.fields)
        public = "readonly" if record.is_tuple else "public"
        base = f"({record.base})" if record.base else ""
        own = [field for field in record.fields.values() if not field.inherited]
        lines = [f"    cdef {public} {c_type(field.type, self.spelled)} {field.name}" for field in own]
        self.pxd += [f"cdef class {name}{base}:", *(lines or ["    pass"])]
        values = "".join(f"self.{name}, " for name in names)
        otherwise = "self._values() == other" if record.is_tuple else "NotImplemented"
        text = _METHODS.format(values=values, name=name, names=tuple(names), otherwise=otherwise)
        if record.is_tuple:
            text += _TUPLE_METHODS.format(count=len(names))
        body = [*self._init(record), *parse(text)]
        body += [self.visit(item) for item in record.node.body if isinstance(item, ast.FunctionDef)]
        made = parse(f"class {name}{base}: pass")
        made[0].body = body  # type: ignore[attr-defined]
        if (self.module.name, name) in self.program.factories:
            made += self._factory_of(record)
        return made

    def _init(self, record: Any) -> list[ast.stmt]:
        """__init__, with the defaults and factories of the fields."""
        fields = record.fields.values()
        made = {
            item.name: ast.unparse(self.visit(item.default)) for item in fields if item.default is not None
        }
        if record.is_tuple:
            args = ", ".join(
                f"{item.name}={made[item.name]}" if item.name in made else item.name for item in fields
            )
            stores = [f"    self.{item.name} = {item.name}" for item in fields]
            return parse(f"def __init__(self, {args}):\n" + "\n".join(stores))
        factories = {
            item.name: f"({ast.unparse(self.visit(item.factory))})()" for item in fields if item.factory
        }
        defaults = [f"self.{name} = {value}" for name, value in (made | factories).items()]
        return parse(_INIT.format(defaults="; ".join(defaults or ["pass"]), names=tuple(record.fields)))

    def _factory_of(self, record: Any) -> list[ast.stmt]:
        """A C function that makes a record without the price of a call of its type."""
        args = ", ".join(
            f"{c_type(field.type, self.spelled)} {field.name}" for field in record.fields.values()
        )
        self.pxd.append(f"cdef {record.name} _new_{record.name}({args})")
        lines = [f"    made.{name} = {name}" for name in record.fields]
        return parse(
            f"@cython.locals(made={record.name})\ndef _new_{record.name}({', '.join(record.fields)}):\n"
            f"    made = {record.name}.__new__({record.name})\n" + "\n".join([*lines, "    return made"])
        )

    # Functions

    def _function(self, function: Any) -> ast.FunctionDef:
        outer, self.scope = self.scope, Scope(self.program, self.module, function)
        node = self._without_annotations(function.node)
        if function.direct:
            result = c_type(function.result, self.spelled)
            args = [c_type(kind, self.spelled) + " " + name for name, kind in function.params.items()]
            missing = len(args) - len(node.args.defaults)
            args = [arg + ("" if place < missing else "=*") for place, arg in enumerate(args)]
            self.pxd.append(f"cpdef {result} {function.name}({', '.join(args)})")
        local = self.scope.declared_locals()
        made = self.generic_visit(node)
        assert isinstance(made, ast.FunctionDef)
        known = {name: self._cython_type(kind) for name, kind in local.items()}
        typed = ", ".join(f"{name}={kind}" for name, kind in known.items() if kind)
        made.decorator_list = [expression(f"cython.locals({typed})")] if typed else []
        self.scope = outer
        return made

    def _cython_type(self, kind: Any) -> str:
        """A type as cython.locals() takes it; none for a plain object."""
        spelled = c_type(kind, self.spelled)
        return {_ULL: "cython.ulonglong", "object": "", "bint": ""}.get(spelled, spelled)

    def _without_annotations(self, node: ast.FunctionDef) -> ast.FunctionDef:
        for arg in [*node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]:
            if arg is not None:
                arg.annotation = None
        node.returns = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function in a function, or a method: all objects."""
        outer, self.scope = self.scope, self.scope.inner(node)
        made = self.generic_visit(self._without_annotations(node))
        self.scope = outer
        return made

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """As a function in a function."""
        outer, self.scope = self.scope, self.scope.inner(node)
        made = self.generic_visit(node)
        self.scope = outer
        return made

    def _comprehension(self, node: Any) -> ast.AST:
        """Its targets are objects, but of known type."""
        outer, self.scope = self.scope, self.scope.inside(node)
        for part in node.generators:
            part.iter, part.ifs = self.v(part.iter), [self.test(condition) for condition in part.ifs]
        for name in ("elt", "key", "value"):
            if hasattr(node, name):
                setattr(node, name, self.v(getattr(node, name)))
        self.scope = outer
        made: ast.AST = node
        return made

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    # Statements

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """An import in a function."""
        if (node.module or "").startswith(REF):
            node.module = REFC + str(node.module).removeprefix(REF)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """An assignment without its annotation."""
        if node.value is None:
            return None
        return self.visit_Assign(ast.Assign([node.target], node.value))

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """The value in the form that its target has."""
        single = node.targets[0]
        if len(node.targets) == 1 and isinstance(single, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(single.elts, node.value.elts, strict=True))
            node.value = ast.Tuple([self._stored(target, value) for target, value in pairs], ast.Load())
        else:
            node.value = self._stored(single, node.value)
        node.targets = [self.visit(target) for target in node.targets]
        if isinstance(single, ast.Tuple) and isinstance(node.value, ast.Subscript):
            node.value = _call(
                "list", node.value
            )  # Cython 3.3 cannot unpack a slice whose bounds it does not know
        return node

    def _stored(self, target: ast.expr, value: ast.expr) -> ast.expr:
        number = is_number(self.scope.infer(value)) and self.scope.in_c(target)
        return self.c(value) if number else self.v(value)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """x op= y as x = x op y, where x can be read twice."""
        if any(isinstance(part, ast.Call) for part in ast.walk(node.target)):
            node.value = self.o(node.value)
            node.target = self.visit(node.target)
            return node
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        return self.visit_Assign(ast.Assign([node.target], ast.BinOp(read, node.op, node.value)))

    def visit_Return(self, node: ast.Return) -> ast.AST:
        """The result in the form that the function has."""
        if node.value is not None:
            function = self.scope.function
            number = function is not None and function.direct and is_number(function.result)
            exact = number and is_number(self.scope.infer(node.value)) and self.scope.is_outermost
            node.value = self.c(node.value) if exact else self.v(node.value)
        return node

    def _tested(self, node: Any) -> ast.AST:
        """A number that is only asked whether it is 0 need not become an object."""
        node.test = self.test(node.test)
        for name in ("body", "orelse"):
            part = getattr(node, name)
            many = isinstance(part, list)
            setattr(node, name, [self.visit(item) for item in part] if many else self._branch(part))
        made: ast.AST = node
        return made

    def _branch(self, node: ast.expr) -> ast.expr:
        """A branch of x if y else z: two tuples would be C structures of different shape."""
        made = self.v(node)
        return _call("cython.cast", ast.Name("object"), made) if isinstance(node, ast.Tuple) else made

    visit_If = visit_While = visit_IfExp = _tested

    def test(self, node: ast.expr) -> ast.expr:
        """A condition."""
        if isinstance(node, ast.BoolOp):
            node.values = [self.test(value) for value in node.values]
            return node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            node.operand = self.test(node.operand)
            return node
        if isinstance(node, ast.BinOp) and is_number(self.scope.infer(node)):
            return self.c(node)
        return self.v(node)

    # Expressions: v() as they come, o() as objects, c() as C numbers modulo 2^64

    def v(self, node: ast.expr) -> ast.expr:
        """The expression, in whatever form is nearest."""
        made: ast.expr = self.visit(node)
        return made

    def o(self, node: ast.expr) -> ast.expr:
        """The expression as a Python object."""
        in_c = self.scope.in_c(node)
        made = self.v(node)
        return _call("cython.cast", ast.Name("object"), made) if in_c else made

    def c(self, node: ast.expr) -> ast.expr:
        """The expression as an unsigned long long."""
        scope = self.scope
        value = scope.constant(node)
        if value is not None:
            return _ull(ast.Constant(value & _MASK))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            return ast.UnaryOp(ast.Invert(), self.c(node.operand))
        if isinstance(node, ast.IfExp) and scope.modular(node):
            return ast.IfExp(self.test(node.test), self.c(node.body), self.c(node.orelse))
        if isinstance(node, ast.BinOp) and scope.modular(node.left) and scope.modular(node.right):
            return self._c_operation(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "int":
            if scope.infer(node.args[0]) == ("b",):
                return ast.IfExp(self.test(node.args[0]), _ull(ast.Constant(1)), _ull(ast.Constant(0)))
            return self.c(node.args[0])
        made = scope.in_c(node)
        return self.v(node) if made else _ull(self.v(node))

    def _c_operation(self, node: ast.BinOp) -> ast.expr:
        count = self.scope.constant(node.right)
        if isinstance(node.op, ast.LShift | ast.RShift) and (count is None or count >= 64):
            name = "_shl" if isinstance(node.op, ast.LShift) else "_shr"
            return ast.Call(ast.Name(name), [self.c(node.left), self.c(node.right)], [])
        return ast.BinOp(self.c(node.left), node.op, self.c(node.right))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """In C where the result is exact and an operand is there already."""
        scope = self.scope
        if is_number(scope.infer(node)) and scope.in_c(node):
            return self.c(node)
        node.left, node.right = self.o(node.left), self.o(node.right)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """-x and ~x are Python's, but under a mask."""
        if isinstance(node.op, ast.Not):
            return self.test(node)
        node.operand = self.o(node.operand)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """Conditions as such, values as objects."""
        if self.scope.infer(node) == ("b",):
            return self.test(node)
        node.values = [self.o(value) for value in node.values]
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Flags by their bits; numbers in C."""
        scope, sides = self.scope, [node.left, *node.comparators]
        if isinstance(node.ops[0], ast.In | ast.NotIn) and scope.is_flag(node.left):
            flag, equal = node.left, ast.Eq() if isinstance(node.ops[0], ast.In) else ast.NotEq()
            again = ast.parse(ast.unparse(flag), mode="eval").body
            mask = ast.BinOp(node.comparators[0], ast.BitAnd(), flag)
            return self.v(ast.Compare(mask, [equal], [again]))
        if all(is_number(scope.infer(side)) for side in sides):
            node.left, *node.comparators = [self.c(side) for side in sides]
            return node
        row = node.comparators[0]
        if isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(row, ast.Tuple):
            members = [node.left, *row.elts]
            if all(is_number(scope.infer(member)) for member in members):
                node.left, row.elts = self.c(node.left), [self.c(member) for member in row.elts]
                return node
        node.left, *node.comparators = [self.o(side) for side in sides]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A constant as its number; a function of another module that is no call, as an object."""
        if not isinstance(node.ctx, ast.Load):
            return node
        value = self.scope.constant(node)
        if value is not None:
            return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))
        home = self.module.imported.get(node.id) if not self.scope.is_local(node.id) else None
        function = self.program.functions.get(home) if home else None
        if home and function is not None and function.direct:
            self.values.add(home)
            return ast.Name(f"_object_{node.id}", ast.Load())
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """A field of a record that the C compiler knows."""
        value = self.scope.constant(node)
        if value is not None:
            return ast.Constant(value)
        kind, plain = self.scope.infer(node.value), self.scope.in_c(node.value)
        known = self.scope.is_typed(node.value)
        base = self.v(node.value)
        if is_number(kind) and plain:
            base = _call("cython.cast", ast.Name("object"), base)
        elif kind is not None and kind[0] == "c" and not known and kind[1:] in self.spelled:
            check = ast.keyword("typecheck", ast.Constant(True))
            base = ast.Call(expression("cython.cast"), [ast.Name(self.spelled[kind[1:]]), base], [check])
        node.value = base
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """An element."""
        node.value, node.slice = self.v(node.value), self.v(node.slice)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call, of C functions with their arguments in order."""
        scope = self.scope
        if isinstance(node.func, ast.Name) and not scope.is_local(node.func.id):
            key = self.module.resolve(node.func.id)
            function, record = self.program.functions.get(key), self.program.records.get(key)
            if key in self.program.flags:
                return self.v(node.args[0])
            if function is not None and function.direct:
                return self._direct_call(node, function)
            if record is not None and key in self.program.factories:
                made = record.arguments(node)
                if made is not None:
                    return self._made(record, made)
            if key == ("dataclasses", "replace"):
                func = ast.Attribute(node.args[0], "_replace", ast.Load())
                return self.v(ast.Call(func, [], node.keywords))
            if node.func.id == "bool" and len(node.args) == 1:
                return ast.Call(node.func, [self.test(node.args[0])], [])
            if node.func.id in ("max", "min") and is_number(scope.infer(node)):
                return ast.Call(node.func, [self.c(arg) for arg in node.args], [])
        replaced = self._replaced(node)
        if replaced is not None:
            return replaced
        node.func = self.visit(node.func)
        node.args = [self._argument(arg) for arg in node.args]
        node.keywords = [ast.keyword(item.arg, self.v(item.value)) for item in node.keywords]
        return node

    def _argument(self, node: ast.expr) -> ast.expr:
        return ast.Starred(self.v(node.value)) if isinstance(node, ast.Starred) else self.v(node)

    def _direct_call(self, node: ast.Call, function: Any) -> ast.expr:
        args = function.arguments(node)
        if args is None:
            raise ValueError(f"{self.module.name}: {ast.unparse(node)}: no plain arguments")
        made = []
        for arg, (name, kind) in zip(args, function.params.items(), strict=False):
            made.append(self._reduced(arg) if function.reduces(name) else self._as(arg, kind))
        return ast.Call(node.func, made, [])

    def _reduced(self, node: ast.expr) -> ast.expr:
        """A number modulo 2^64."""
        if self.scope.modular(node):
            return self.c(node)
        return _ull(ast.BinOp(self.v(node), ast.BitAnd(), ast.Constant(_MASK)))

    def _as(self, node: ast.expr, kind: Any) -> ast.expr:
        number = is_number(kind) and is_number(self.scope.infer(node))
        return self.c(node) if number else self.v(node)

    def _made(self, record: Any, args: list[ast.expr]) -> ast.expr:
        name = self._factory(record.module, record.name)
        kinds = [field.type for field in record.fields.values()]
        return ast.Call(
            ast.Name(name), [self._as(arg, kind) for arg, kind in zip(args, kinds, strict=True)], []
        )

    def _replaced(self, node: ast.Call) -> ast.expr | None:
        """x._replace(field=value) of a NamedTuple whose x can be read again."""
        if not (isinstance(node.func, ast.Attribute) and node.func.attr == "_replace"):
            return None
        base, kind = node.func.value, self.scope.infer(node.func.value)
        if kind is None or kind[0] != "c" or kind[1:] not in self.program.factories:
            return None
        if any(isinstance(part, ast.Call) for part in ast.walk(base)):
            return None
        changes = {item.arg: item.value for item in node.keywords}
        text = ast.unparse(base)
        record = self.program.records[kind[1:]]
        return self._made(record, [changes.get(n) or expression(f"{text}.{n}") for n in record.fields])


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(expression(name), list(args), [])


def _ull(node: ast.expr) -> ast.Call:
    return _call("cython.cast", expression("cython.ulonglong"), node)


def write_tree(source: Path, target: Path) -> list[str]:
    """Write the modules of the reference below `source` to `target`; their names in pyexit.refc."""
    program = Program(source)
    names = []
    for module in program.modules.values():
        text, declarations = Writer(program, module).files()
        place = target.joinpath(*(REFC + module.name.removeprefix(REF)).split("."))
        place.parent.mkdir(parents=True, exist_ok=True)
        for suffix, content in ((".py", text), (".pxd", declarations)):
            path = place.with_name(place.name + suffix)
            if not path.exists() or path.read_text() != content:
                path.write_text(content)
        names.append(REFC + module.name.removeprefix(REF))
    return names
