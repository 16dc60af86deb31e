//  testing.h - what every C test includes first.

#ifndef WEFT_TESTING_H_INCLUDED
#define WEFT_TESTING_H_INCLUDED

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#endif
