//  weft_survey.h - from a writer's fields to one normalised alert.
//
//  A survey is one mapping file (survey_NAME.c): tables of the writer's fields,
//  the fields of alert.v1 that they fill as they are, and two functions for
//  what takes more than a copy (a row of the light curve; the alert as a
//  whole). Adding a survey is adding such a file and its line in the list.
//
//  One thread at a time per weft_normal_t.

#ifndef WEFT_SURVEY_H_INCLUDED
#define WEFT_SURVEY_H_INCLUDED

#include "weft_avro_plan.h"
#include "weft_contracts.h"
#include "weft_point.h"

#define WEFT_NORMAL_ROWS_MOST 16384  //  rows that one packet may bring
#define WEFT_OBJECT_ID_MOST 24       //  bytes of an object's name

//  For the tables: a field that fills none of alert.v1 by itself.
enum { WEFT_alert_v1_none = -1 };

//  For the tables: types by meaning. A whole number may stand for a real one,
//  as Avro's own resolution has it.
#define WEFT_TYPE_REAL WEFT_AVRO_NUMBER
#define WEFT_TYPE_WHOLE WEFT_AVRO_WHOLE
#define WEFT_TYPE_TEXT WEFT_AVRO_TEXT
#define WEFT_TYPE_TRUTH WEFT_AVRO_BIT (BOOLEAN)
#define WEFT_TYPE_BYTES (WEFT_AVRO_BIT (BYTES) | WEFT_AVRO_BIT (FIXED))
#define WEFT_TYPE_SIGN                                                         \
    (WEFT_AVRO_TEXT | WEFT_AVRO_WHOLE | WEFT_AVRO_BIT (BOOLEAN))

//  One alert in Weft's terms, without its history. Texts borrow from the packet
//  and from this struct.
typedef struct {
    weft_alert_v1_t alert;  //  everything but points, trig, cut, raw_ref
    weft_point_t *rows;     //  of this packet, the alert's own among them
    size_t n_rows, room;
    int64_t trigger;         //  key of the alert's own row
    uint32_t known_at;       //  UTC seconds of the alert
    double obj_ra, obj_dec;  //  the survey's position of the object, or NaN
    size_t skipped;          //  rows that tell neither what nor when
    char object_id[WEFT_OBJECT_ID_MOST + 4];
    char schema[24];
    uint8_t shape[6 * 4];
    char texts[512];          //  see weft_normal_keep
    char why[WEFT_AVRO_WHY];  //  after an error
} weft_normal_t;

//  A conversion of a wanted number: value x times + plus.
typedef struct {
    uint16_t group, want;
    double times, plus;
} weft_unit_t;

typedef struct weft_survey {
    const char *name;  //  as in alert.v1
    //  Is a schema of this survey? By the name of its top record, or, where a
    //  broker has put its own name there, by the fields that it has.
    bool (*claims) (const char *schema_name, const weft_avro_node_t *root);
    const weft_avro_group_t *groups;
    size_t n_groups;
    //  What the core needs, by role (1 is roles[0]): the name for people.
    const char *const *roles;
    size_t n_roles;
    //  A row of an array group. 0, or WEFT_ETOOBIG.
    int (*row) (weft_normal_t *normal,
                size_t group,
                const weft_avro_value_t *values);
    //  `n` rows of a group with a layout, filled as it says, lie where the next
    //  rows go: completes and adds them. NULL if no group has a layout.
    void (*rows) (weft_normal_t *normal, size_t n);
    //  All is read: fills the alert and its own row. `values[g]` are group g's;
    //  bit g of `present` tells whether its record was there.
    int (*finish) (weft_normal_t *normal,
                   const weft_avro_value_t *const *values,
                   uint32_t present,
                   const char *schema_name);
    //  Conversions before `row` and `finish` see the values; few or none.
    const weft_unit_t *units;
    size_t n_units;
    //  Of a mapping: the survey whose fields it gives other names; else NULL.
    const struct weft_survey *like;
} weft_survey_t;

#define WEFT_NIGHT_MOST 100000  //  days of MJD: the year 2132

extern const weft_survey_t weft_survey_ztf;
extern const weft_survey_t weft_survey_lsst;
extern const weft_survey_t weft_survey_elasticc;

//  The survey of a schema, or NULL.
const weft_survey_t *weft_survey_find (const char *schema_name,
                                       const weft_avro_node_t *root);

//  A survey that is built in, by its name, or NULL.
const weft_survey_t *weft_survey_named (const char *name);

//  Makes it ready for the next packet; keeps the memory. Zeros are valid.
void weft_normal_clear (weft_normal_t *self);
void weft_normal_fini (weft_normal_t *self);

//  Copies the texts that borrow from the packet into the alert's own memory, so
//  that the packet may go. What has no room is cut.
void weft_normal_keep (weft_normal_t *self);

//  Where the next row goes: fill it, then weft_normal_added. WEFT_ETOOBIG at the
//  ceiling, WEFT_ENOMEM; after both `why` says so.
WEFT_CHECK int weft_normal_next (weft_normal_t *self, weft_point_t **row);

//  The same for up to *n rows, which it may lower.
WEFT_CHECK int
weft_normal_room (weft_normal_t *self, size_t *n, weft_point_t **rows);

static inline void
weft_normal_added (weft_normal_t *self)
{
    self->n_rows++;
}

//  Appends a row; errors as above.
WEFT_CHECK int weft_normal_add (weft_normal_t *self, const weft_point_t *row);

//  Copies every value of a group that has a field in alert.v1. NaN and
//  whatever does not fit the field is left absent, and so are numbers equal to
//  `sentinel` (NaN: none).
void weft_normal_copy (weft_normal_t *self,
                       const weft_avro_group_t *group,
                       const weft_avro_value_t *values,
                       double sentinel);

//  Says which stamps the packet has, how large, and in which format.
void weft_normal_stamps (weft_normal_t *self,
                         const weft_avro_value_t *sci,
                         const weft_avro_value_t *tmpl,
                         const weft_avro_value_t *diff);

//  Sets `known_at` of the alert and of its rows from its time.
void weft_normal_date (weft_normal_t *self, double t_obs_tai);

//  The night of an exposure, counted in days of MJD: 1 to WEFT_NIGHT_MOST, which
//  stands for all later ones. Each night that there is costs the ledger time, and
//  a packet may say any.
int32_t weft_normal_night (double t_obs_tai);

//  Position and time are possible ones; else WEFT_ERANGE and a reason.
WEFT_CHECK int
weft_normal_check (weft_normal_t *self, double ra, double dec, double t_obs);

//  Values as numbers, inline as there are many of each row: NaN and the fallback
//  stand for absent.
static inline double
weft_value_real (const weft_avro_value_t *value)
{
    if (value->type == WEFT_AVRO_FLOAT || value->type == WEFT_AVRO_DOUBLE)
        return value->f;
    if (value->type == WEFT_AVRO_INT || value->type == WEFT_AVRO_LONG)
        return (double)value->i;
    return __builtin_nan ("");
}

static inline int64_t
weft_value_whole (const weft_avro_value_t *value, int64_t fallback)
{
    return value->type == WEFT_AVRO_LONG || value->type == WEFT_AVRO_INT ||
                   value->type == WEFT_AVRO_BOOLEAN
               ? value->i
               : fallback;
}

//  A number as f32; NaN if it is absent or is `sentinel`.
static inline float
weft_value_float (const weft_avro_value_t *value, double sentinel)
{
    double number = weft_value_real (value);
    return number != number || number == sentinel ? __builtin_nanf ("")
                                                  : (float)number;
}

//  Text; p is NULL if it is absent.
static inline weft_str_t
weft_value_text (const weft_avro_value_t *value)
{
    if (value->type != WEFT_AVRO_STRING)
        return (weft_str_t){ NULL, 0 };
    return (weft_str_t){ (const char *)value->p, value->n };
}

static inline bool
weft_value_is (const weft_avro_value_t *value)
{
    return value->type != WEFT_AVRO_NULL;
}

//  AB magnitude to nJy: 10^((31.4 - m) / 2.5).
double weft_njy_of_mag (double mag);
//  Relative error of a flux whose magnitude has an error of 1: ln (10) / 2.5.
#define WEFT_NJY_PER_MAG 0.92103403719761836

//  Time in units of 1e-7 days, the identity of a moment: round (mjd x 1e7).
int64_t weft_tick (double mjd);

//  A double's bits as a number in the same order, for versions.
static inline int64_t
weft_ordered (double value)
{
    int64_t bits;
    memcpy (&bits, &value, 8);
    return bits < 0 ? (int64_t)(UINT64_C (0x8000000000000000) - (uint64_t)bits)
                    : bits;
}

#endif
