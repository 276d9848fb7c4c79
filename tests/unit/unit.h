/* SPDX-License-Identifier: MIT */
/* unit.h: what every unit test includes first. cmocka.h wants these four before it. */
#ifndef VCONS_TESTS_UNIT_H
#define VCONS_TESTS_UNIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* a group of its own: the formatter sorts within groups */

#define N_ROWS(table) (sizeof(table) / sizeof(table)[0])

#endif
