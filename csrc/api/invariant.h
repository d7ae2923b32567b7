/* SPDX-License-Identifier: BSD-3-Clause */
/* api/invariant: the check behind a verb. */
#ifndef API_INVARIANT_H
#define API_INVARIANT_H

#include "../width.h"

/* With options.invariants a verb that has returned, but broken a rule, ends as a BUG instead. */
PYEXIT_INTERNAL void pyexit_check_after(const struct pyexit_machine *machine, uint32_t *outcome, uint32_t *site);

#endif
