//  weft_angle.c - numbers and angles in the text of catalogues.

#include "weft_angle.h"

#include <math.h>

#define LONGEST 63  //  bytes of a number

//  Only what a decimal number is made of: strtod takes more.
static bool
is_decimal (const char *text)
{
    return strspn (text, "+-.0123456789eE") == strlen (text);
}

bool
weft_angle_number (weft_str_t text, double *value)
{
    char copy[LONGEST + 1];
    if (text.n == 0 || text.n > LONGEST)
        return false;
    weft_str_copy (text, copy, sizeof copy);
    if (strlen (copy) != text.n || !is_decimal (copy))
        return false;
    char *end;
    *value = strtod (copy, &end);
    return *end == 0 && isfinite (*value);
}

static bool
is_part (char c)
{
    return (c >= '0' && c <= '9') || c == '.';
}

//  The next run of digits; what separates it from the one before is skipped.
static bool
take_part (const char **at, const char *end, double *value)
{
    while (*at < end && !is_part (**at)) {
        if (strchr (" :hmsd'\"\t", **at) == NULL)
            return false;
        (*at)++;
    }
    const char *from = *at;
    while (*at < end && is_part (**at))
        (*at)++;
    weft_str_t part = { from, (uint32_t)(*at - from) };
    return weft_angle_number (part, value);
}

//  Nothing but a closing unit may follow.
static bool
is_over (const char *at, const char *end)
{
    while (at < end)
        if (*at == 0 || strchr (" ms'\"\t", *at++) == NULL)
            return false;
    return true;
}

bool
weft_angle_sexagesimal (weft_str_t text, double *value)
{
    const char *at = text.p, *end = text.p + text.n;
    double parts[3] = { 0 };
    while (at < end && *at == ' ')
        at++;
    bool minus = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (!take_part (&at, end, &parts[0]) || !take_part (&at, end, &parts[1]))
        return false;
    if (!is_over (at, end) && !take_part (&at, end, &parts[2]))
        return false;
    if (!is_over (at, end) || parts[1] >= 60 || parts[2] >= 60)
        return false;
    *value = parts[0] + parts[1] / 60 + parts[2] / 3600;
    *value = minus ? -*value : *value;
    return true;
}
