//  weft_survey.c - what all mappings share: copies, units, and the list.

#include <math.h>
#include <pthread.h>

#include "weft_survey.h"
#include "weft_time.h"

static const weft_survey_t *const surveys[] = {
    &weft_survey_ztf,
    &weft_survey_lsst,
    &weft_survey_elasticc,
};

const weft_survey_t *
weft_survey_find (const char *schema_name, const weft_avro_node_t *root)
{
    for (size_t i = 0; i < WEFT_COUNT (surveys); i++)
        if (surveys[i]->claims (schema_name, root))
            return surveys[i];
    return NULL;
}

const weft_survey_t *
weft_survey_named (const char *name)
{
    for (size_t i = 0; i < WEFT_COUNT (surveys); i++)
        if (!strcmp (surveys[i]->name, name))
            return surveys[i];
    return NULL;
}

//  An alert of which nothing is known: every packet begins with a copy of it.
static weft_alert_v1_t nothing;

static void
clear_nothing (void)
{
    weft_contract_clear (&weft_alert_v1, &nothing);
}

void
weft_normal_clear (weft_normal_t *self)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once (&once, clear_nothing);
    self->alert = nothing;
    self->n_rows = 0;
    self->trigger = 0;
    self->known_at = 0;
    self->obj_ra = self->obj_dec = NAN;
    self->skipped = 0;
    *self->object_id = *self->schema = *self->why = 0;
}

void
weft_normal_fini (weft_normal_t *self)
{
    free (self->rows);
    self->rows = NULL;
    self->n_rows = self->room = 0;
}

void
weft_normal_keep (weft_normal_t *self)
{
    weft_alert_v1_t *alert = &self->alert;
    weft_str_t *const texts[] = { &alert->reason, &alert->target,
                                  &alert->rb_ver, &alert->drb_ver,
                                  &alert->sso.name };
    size_t used = 0;
    for (size_t i = 0; i < WEFT_COUNT (texts); i++) {
        size_t size = WEFT_MIN (texts[i]->n, sizeof (self->texts) - used);
        if (size)
            memcpy (self->texts + used, texts[i]->p, size);
        *texts[i] = (weft_str_t){ self->texts + used, (uint32_t)size };
        used += size;
    }
}

static int
grow_rows (weft_normal_t *self, size_t n)
{
    size_t room = self->room ? self->room : 128;
    while (room < n)
        room *= 2;
    weft_point_t *moved = realloc (self->rows, room * sizeof (*moved));
    if (!moved) {
        snprintf (self->why, sizeof (self->why), "out of memory");
        return WEFT_ENOMEM;
    }
    self->rows = moved;
    self->room = room;
    return 0;
}

int
weft_normal_room (weft_normal_t *self, size_t *n, weft_point_t **rows)
{
    if (self->n_rows == WEFT_NORMAL_ROWS_MOST) {
        snprintf (self->why, sizeof (self->why),
                  "more than %d rows in one packet", WEFT_NORMAL_ROWS_MOST);
        return WEFT_ETOOBIG;
    }
    *n = WEFT_MIN (*n, WEFT_NORMAL_ROWS_MOST - self->n_rows);
    int rc = self->n_rows + *n > self->room
                 ? grow_rows (self, self->n_rows + *n)
                 : 0;
    *rows = &self->rows[self->n_rows];
    return rc;
}

int
weft_normal_next (weft_normal_t *self, weft_point_t **row)
{
    size_t one = 1;
    return weft_normal_room (self, &one, row);
}

int
weft_normal_add (weft_normal_t *self, const weft_point_t *row)
{
    weft_point_t *to;
    int rc = weft_normal_next (self, &to);
    if (rc)
        return rc;
    *to = *row;
    weft_normal_added (self);
    return 0;
}

//  Whole numbers into a field of the contract; false if they do not fit.
static bool
copy_whole (uint8_t kind, uint8_t *to, int64_t number)
{
    switch (kind) {
    case WEFT_KIND_u8:
        if (number < 0 || number > UINT8_MAX)
            return false;
        *to = (uint8_t)number;
        return true;
    case WEFT_KIND_i32:
        if (number < INT32_MIN || number > INT32_MAX)
            return false;
        memcpy (to, &(int32_t){ (int32_t)number }, 4);
        return true;
    case WEFT_KIND_id:
        memcpy (to, &number, 8);
        return true;
    default:
        return false;
    }
}

static bool
copy_real (uint8_t kind, uint8_t *to, double number)
{
    if (isnan (number))
        return false;
    if (kind == WEFT_KIND_f64)
        memcpy (to, &number, 8);
    else if (kind == WEFT_KIND_f32)
        memcpy (to, &(float){ (float)number }, 4);
    else
        return false;
    return true;
}

static bool
copy_value (const weft_field_t *field,
            uint8_t *to,
            const weft_avro_value_t *value,
            double sentinel)
{
    double number = weft_value_real (value);
    if (number == sentinel)
        return false;
    if (field->kind == WEFT_KIND_f32 || field->kind == WEFT_KIND_f64)
        return copy_real (field->kind, to, number);
    if (field->kind == WEFT_KIND_str && value->type == WEFT_AVRO_STRING) {
        weft_str_t text = weft_value_text (value);
        memcpy (to, &text, sizeof (text));
        return true;
    }
    if (value->type != WEFT_AVRO_INT && value->type != WEFT_AVRO_LONG)
        return false;
    return copy_whole (field->kind, to, value->i);
}

void
weft_normal_copy (weft_normal_t *self,
                  const weft_avro_group_t *group,
                  const weft_avro_value_t *values,
                  double sentinel)
{
    for (size_t i = 0; i < group->n_wants; i++) {
        int key = group->wants[i].key;
        if (key < 0 || !weft_value_is (&values[i]) ||
            weft_has_bit (self->alert.has, (unsigned)key))
            continue;
        const weft_field_t *field = &weft_alert_v1.fields[key];
        if (copy_value (field, (uint8_t *)&self->alert + field->offset,
                        &values[i], sentinel))
            weft_set_bit (self->alert.has, (unsigned)key);
    }
}

//  The format of a stamp by its first bytes.
static const char *
stamp_format (const weft_avro_value_t *stamp)
{
    if (stamp->n < 6)
        return NULL;
    if (stamp->p[0] == 0x1f && stamp->p[1] == 0x8b)
        return "fits.gz";
    if (stamp->p[0] == 0xff && stamp->p[1] == 0xd8)
        return "jpg";
    return memcmp (stamp->p, "SIMPLE", 6) ? NULL : "fits";
}

static bool
is_stamp (const weft_avro_value_t *value)
{
    return (value->type == WEFT_AVRO_BYTES || value->type == WEFT_AVRO_FIXED) &&
           value->n;
}

void
weft_normal_stamps (weft_normal_t *self,
                    const weft_avro_value_t *sci,
                    const weft_avro_value_t *tmpl,
                    const weft_avro_value_t *diff)
{
    weft_stamps_v1_t *stamps = &self->alert.stamps;
    const char *format = NULL;
    if (is_stamp (sci)) {
        WEFT_SET (stamps_v1, stamps, sci, sci->n);
        format = stamp_format (sci);
    }
    if (is_stamp (tmpl)) {
        WEFT_SET (stamps_v1, stamps, tmpl, tmpl->n);
        format = format ? format : stamp_format (tmpl);
    }
    if (is_stamp (diff)) {
        WEFT_SET (stamps_v1, stamps, diff, diff->n);
        format = format ? format : stamp_format (diff);
    }
    if (!stamps->has[0])
        return;
    if (format)
        WEFT_SET (stamps_v1, stamps, format, weft_str (format));
    WEFT_MARK (alert_v1, &self->alert, stamps);
}

void
weft_normal_date (weft_normal_t *self, double t_obs_tai)
{
    double seconds =
        floor ((weft_time_utc_of_tai (t_obs_tai) - WEFT_MJD_UNIX) * 86400);
    self->known_at = seconds >= UINT32_MAX ? UINT32_MAX
                     : seconds > 0         ? (uint32_t)seconds
                                           : 0;
    for (size_t i = 0; i < self->n_rows; i++)
        self->rows[i].known_at = self->known_at;
}

int32_t
weft_normal_night (double t_obs_tai)
{
    double night = floor (t_obs_tai - 0.5);
    return night >= WEFT_NIGHT_MOST ? WEFT_NIGHT_MOST
           : night >= 1             ? (int32_t)night
                                    : 1;
}

int
weft_normal_check (weft_normal_t *self, double ra, double dec, double t_obs)
{
    const char *what = NULL;
    double value = 0;
    if (!(ra >= 0 && ra <= 360)) {
        what = "ra";
        value = ra;
    } else if (!(dec >= -90 && dec <= 90)) {
        what = "dec";
        value = dec;
    } else if (!(t_obs > 0 && t_obs < 2e9)) {
        //  Dummies of the survey have seconds where days should be: they are
        //  no nonsense, so the bound is wide.
        what = "time of observation";
        value = t_obs;
    }
    if (!what)
        return 0;
    snprintf (self->why, sizeof (self->why), "%s %g is impossible", what,
              value);
    return WEFT_ERANGE;
}

double
weft_njy_of_mag (double mag)
{
    return exp (WEFT_NJY_PER_MAG * (31.4 - mag));
}

int64_t
weft_tick (double mjd)
{
    return mjd > -1e9 && mjd < 1e10 ? llround (mjd * 1e7) : 0;
}
