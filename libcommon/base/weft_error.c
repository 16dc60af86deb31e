//  weft_error.c - the table of error codes, looked up.

#include "weft_base.h"

weft_class_t
weft_error_class (int rc)
{
    switch (rc) {
#define X(code, number, class, text)                                           \
    case code:                                                                 \
        return WEFT_CLASS_##class;
        WEFT_ERRORS (X)
#undef X
    default:
        return WEFT_CLASS_FATAL;
    }
}

const char *
weft_error_text (int rc)
{
    switch (rc) {
    case 0:
        return "no error";
#define X(code, number, class, text)                                           \
    case code:                                                                 \
        return text;
        WEFT_ERRORS (X)
#undef X
    default:
        return "an error without a name";
    }
}

const char *
weft_error_name (int rc)
{
    switch (rc) {
    case 0:
        return "0";
#define X(code, number, class, text)                                           \
    case code:                                                                 \
        return #code;
        WEFT_ERRORS (X)
#undef X
    default:
        return "?";
    }
}
