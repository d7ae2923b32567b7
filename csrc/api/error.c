/* SPDX-License-Identifier: BSD-3-Clause */
/* api/error: ABI check and error texts. */
#include <errno.h>

#include "pyexit.h"

int pyexit_abi_check(unsigned int major, unsigned int minor)
{
	return major == PYEXIT_ABI_MAJOR && minor <= PYEXIT_ABI_MINOR ? 0 : -ENOTSUP;
}

const char *pyexit_strerror(int error)
{
	switch (error) {
	case 0:
		return "no error";
	case -ENOENT:
		return "no such function or exit number";
	case -E2BIG:
		return "wrong number of arguments";
	case -EBUSY:
		return "the hardware thread has a guest already";
	case -ENOSYS:
		return "not an instruction of the privileged table";
	case -ENOMEM:
		return "not enough memory";
	case -EFAULT:
		return "address is not memory, or not aligned";
	case -EEXIST:
		return "RAM ranges overlap";
	case -EINVAL:
		return "argument out of range";
	case -ENOTSUP:
		return "not supported by this build";
	default:
		return "unknown error";
	}
}
