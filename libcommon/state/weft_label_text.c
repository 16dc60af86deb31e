//  weft_label_text.c - see weft_label_text.h.

#include "weft_label_text.h"

#include "weft_time.h"

#include <math.h>
#include <time.h>

#define TEXT_MOST 64  //  bytes of a number or a time

static int
read_number (const char *text, double *value)
{
    char *end;
    *value = strtod (text, &end);
    return end == text || *end || !isfinite (*value) ? WEFT_EMALFORMED : 0;
}

static int
read_date (const char *text, double *mjd)
{
    struct tm tm = { 0 };
    double seconds = 0;
    int used = 0;
    int n = sscanf (text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                    &used);
    if (n != 3 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
        tm.tm_mday > 31)
        return WEFT_EMALFORMED;
    text += used;
    if (*text == 'T' || *text == ' ') {
        n = sscanf (text + 1, "%2d:%2d:%lf%n", &tm.tm_hour, &tm.tm_min,
                    &seconds, &used);
        if (n != 3 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
            tm.tm_min > 59 || !(seconds >= 0 && seconds < 61))
            return WEFT_EMALFORMED;
        text += 1 + used;
    }
    if (*text == 'Z')
        text++;
    if (*text)
        return WEFT_EMALFORMED;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    //  timegm makes 30 February a day of March.
    int day = tm.tm_mday;
    time_t time = timegm (&tm);
    if (tm.tm_mday != day)
        return WEFT_EMALFORMED;
    *mjd =
        weft_time_tai_of_utc (((double)time + seconds) / 86400 + WEFT_MJD_UNIX);
    return 0;
}

int
weft_label_time (weft_str_t text, double *mjd)
{
    char copy[TEXT_MOST];
    if (text.n >= sizeof (copy))
        return WEFT_EMALFORMED;
    weft_str_copy (text, copy, sizeof (copy));
    int rc = read_number (copy, mjd);
    return rc ? read_date (copy, mjd) : 0;
}

static bool
is_one_of (weft_str_t key, const char *name, const char *other)
{
    return weft_str_is (key, name) || weft_str_is (key, other);
}

//  WEFT_EABSENT if it is no text field.
static int
set_text (weft_label_v1_t *label, weft_str_t key, weft_str_t value)
{
    if (is_one_of (key, "label_id", "id"))
        WEFT_SET (label_v1, label, label_id, value);
    else if (weft_str_is (key, "survey"))
        WEFT_SET (label_v1, label, survey, value);
    else if (is_one_of (key, "object_id", "object"))
        WEFT_SET (label_v1, label, object_id, value);
    else if (weft_str_is (key, "class"))
        WEFT_SET (label_v1, label, class, value);
    else if (weft_str_is (key, "raw_class"))
        WEFT_SET (label_v1, label, raw_class, value);
    else if (weft_str_is (key, "raw_taxonomy"))
        WEFT_SET (label_v1, label, raw_taxonomy, value);
    else if (weft_str_is (key, "source"))
        WEFT_SET (label_v1, label, source, value);
    else if (weft_str_is (key, "source_ref"))
        WEFT_SET (label_v1, label, source_ref, value);
    else if (weft_str_is (key, "observer"))
        WEFT_SET (label_v1, label, observer, value);
    else if (weft_str_is (key, "facility"))
        WEFT_SET (label_v1, label, facility, value);
    else if (is_one_of (key, "requested_by", "requester"))
        WEFT_SET (label_v1, label, requested_by, value);
    else if (weft_str_is (key, "supersedes"))
        WEFT_SET (label_v1, label, supersedes, value);
    else
        return WEFT_EABSENT;
    return 0;
}

static int
set_number (weft_label_v1_t *label, weft_str_t key, weft_str_t value)
{
    double number = 0;
    bool is_time = is_one_of (key, "reported_at", "time") ||
                   weft_str_is (key, "spectrum_mjd");
    char copy[TEXT_MOST];
    weft_str_copy (value, copy, sizeof (copy));
    int rc = is_time ? weft_label_time (value, &number)
                     : read_number (copy, &number);
    if (is_one_of (key, "reported_at", "time"))
        WEFT_SET (label_v1, label, reported_at, number);
    else if (is_time)
        WEFT_SET (label_v1, label, spectrum_mjd, number);
    else if (weft_str_is (key, "z"))
        WEFT_SET (label_v1, label, z, (float)number);
    else if (weft_str_is (key, "z_err"))
        WEFT_SET (label_v1, label, z_err, (float)number);
    else if (weft_str_is (key, "confidence"))
        WEFT_SET (label_v1, label, confidence, (float)number);
    else if (weft_str_is (key, "retracted"))
        WEFT_SET (label_v1, label, retracted, number > 0);
    else
        return WEFT_EABSENT;
    return rc;
}

int
weft_label_set (weft_label_v1_t *label, weft_str_t key, weft_str_t value)
{
    weft_label_v1_t aside = { 0 };
    weft_label_v1_t *into = value.n ? label : &aside;
    int rc = set_text (into, key, value);
    if (rc == WEFT_EABSENT)
        rc = set_number (into, key, value);
    return rc == WEFT_EMALFORMED && !value.n ? 0 : rc;
}
