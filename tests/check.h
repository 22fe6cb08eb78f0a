/* What every cmocka program of this tree includes first, in the order cmocka wants it. */
#ifndef INF_TESTS_CHECK_H
#define INF_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
