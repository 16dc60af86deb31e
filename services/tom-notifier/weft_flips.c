//  weft_flips.c - who was told which class. See weft_flips.h.

#include <sqlite3.h>

#include "weft_contracts.h"
#include "weft_flips.h"
#include "weft_flips_rules.h"
#include "weft_flips_sql.h"
#include "weft_hash.h"
#include "weft_rows.h"

#include <math.h>

#define BITS (1u << 23)  //  of the bitmap: 1 MB
#define EVENTS_MOST 64   //  published in one go
#define PRUNE_MOST 500   //  rows forgotten in one go
#define TOLD_MOST 64     //  that one alert tells of a flip; more with the next
#define CLASS_MOST 64
#define OBJECT_MOST 128

//  Who was told otherwise, read before anything is changed.
typedef struct {
    char filter[WEFT_ROW_ID_MOST], sink[WEFT_ROW_ID_MOST], class[CLASS_MOST];
    const weft_score_v1_t *score;
    weft_str_t to;
    float p_from, p_to;
} told_t;

//  A row of the table, as it was before the alert that is worked on.
typedef struct {
    char filter[WEFT_ROW_ID_MOST], sink[WEFT_ROW_ID_MOST];
    double at;
} known_t;

struct weft_flips {
    weft_outbox_t *outbox;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint8_t *bits;  //  owned: objects that somebody may have been told of
    told_t told[TOLD_MOST];

    //  The alert that is worked on: what it says, read once.
    bool asked, readable;
    weft_scores_v1_t scores;
    known_t known[TOLD_MOST];
    uint32_t n_known;
};

static int
error_of (int code)
{
    code &= 0xff;
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? WEFT_EAGAIN
                                                        : WEFT_EDOWN;
}

//  Runs a statement that gives no rows.
static int
run (weft_flips_t *self, int which)
{
    int code = sqlite3_step (self->statements[which]);
    sqlite3_reset (self->statements[which]);
    return code == SQLITE_DONE ? 0 : error_of (code);
}

static void
bind_str (sqlite3_stmt *statement, int at, weft_str_t text)
{
    sqlite3_bind_text (statement, at, text.p ? text.p : "", (int)text.n,
                       SQLITE_STATIC);
}

static weft_str_t
column (sqlite3_stmt *statement, int at)
{
    const char *text = (const char *)sqlite3_column_text (statement, at);
    return weft_str (text ? text : "");
}

static void
set_bits (weft_flips_t *self, weft_str_t object)
{
    uint64_t hash = weft_hash (object.p, object.n);
    for (int i = 0; i < 2; i++, hash >>= 32)
        self->bits[hash % BITS / 8] |= (uint8_t)(1u << hash % 8);
}

static bool
has_bits (const weft_flips_t *self, weft_str_t object)
{
    uint64_t hash = weft_hash (object.p, object.n);
    for (int i = 0; i < 2; i++, hash >>= 32)
        if (!(self->bits[hash % BITS / 8] & 1u << hash % 8))
            return false;
    return true;
}

static uint32_t
put (char *out, uint32_t room, weft_str_t text)
{
    uint32_t n = WEFT_MIN (text.n, room);
    if (n > 0)
        memcpy (out, text.p, n);
    return n;
}

//  survey/object_id, cut to the room that there is.
static weft_str_t
object_of (const weft_envelope_v1_t *envelope, char out[OBJECT_MOST])
{
    uint32_t n = put (out, OBJECT_MOST - 2, envelope->survey);
    out[n++] = '/';
    n += put (out + n, OBJECT_MOST - 1 - n, envelope->object_id);
    return (weft_str_t){ out, n };
}

static int
read_objects (weft_flips_t *self)
{
    sqlite3_stmt *all;
    if (sqlite3_prepare_v2 (self->db, "SELECT DISTINCT object FROM told", -1,
                            &all, NULL))
        return WEFT_EDOWN;
    int code;
    while ((code = sqlite3_step (all)) == SQLITE_ROW)
        set_bits (self, column (all, 0));
    sqlite3_finalize (all);
    return code == SQLITE_DONE ? 0 : error_of (code);
}

static int
set_up (weft_flips_t *self)
{
    self->bits = calloc (1, BITS / 8);
    if (!self->bits)
        return WEFT_ENOMEM;
    if (sqlite3_exec (self->db, schema, NULL, NULL, NULL))
        return WEFT_EDOWN;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3 (self->db, sql_of[i], -1,
                                SQLITE_PREPARE_PERSISTENT, &self->statements[i],
                                NULL))
            return WEFT_EDOWN;
    return read_objects (self);
}

int
weft_flips_new (weft_flips_t **out, weft_outbox_t *outbox)
{
    *out = NULL;
    weft_flips_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    self->outbox = outbox;
    self->db = weft_outbox_db (outbox);
    int rc = set_up (self);
    if (rc)
        weft_flips_destroy (&self);
    *out = self;
    return rc;
}

void
weft_flips_destroy (weft_flips_t **self_p)
{
    weft_flips_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize (self->statements[i]);
    free (self->bits);
    free (self);
    *self_p = NULL;
}

bool
weft_flips_concern (const weft_flips_t *self,
                    const weft_envelope_v1_t *envelope)
{
    char object[OBJECT_MOST];
    return has_bits (self, object_of (envelope, object));
}

//  The next name of "a,b,c"; the beginning of one that is too long, so that
//  whatever a classifier says fits a row and an event.
static bool
next_name (weft_str_t *list, weft_str_t *name)
{
    if (!list->n)
        return false;
    const char *comma = memchr (list->p, ',', list->n);
    name->p = list->p;
    name->n = comma ? (uint32_t)(comma - list->p) : list->n;
    uint32_t step = WEFT_MIN (name->n + 1, list->n);
    list->p += step;
    list->n -= step;
    name->n = WEFT_MIN (name->n, (uint32_t)CLASS_MOST - 1);
    return true;
}

static bool
is_same (weft_str_t a, weft_str_t b)
{
    return a.n == b.n && !memcmp (a.p, b.p, a.n);
}

//  The likeliest class with its probability, and that of `from`.
static weft_str_t
read_top (const weft_score_v1_t *score,
          weft_str_t from,
          float *p,
          float *p_from)
{
    weft_str_t list = score->classes, name, top = weft_str ("");
    *p = -1;
    *p_from = 0;
    for (uint32_t k = 0; k < score->p.n && next_name (&list, &name); k++) {
        float one = weft_col_f32 (score->p, k);
        if (one > *p) {
            *p = one;
            top = name;
        }
        if (is_same (name, from))
            *p_from = one;
    }
    return top;
}

//  The record of that live model (NULL: the first that has scores).
static const weft_score_v1_t *
find_score (const weft_scores_v1_t *scores, weft_str_t model)
{
    for (uint32_t i = 0; i < scores->n_models; i++) {
        const weft_score_v1_t *one = &scores->models[i];
        if ((!one->shadow || !WEFT_FLIP_RULE (SHADOW)) && one->p.n > 0 &&
            (!model.p || !WEFT_FLIP_RULE (MODEL) ||
             is_same (one->model, model)))
            return one;
    }
    return NULL;
}

static void
copy (sqlite3_stmt *from, int at, char *out, size_t room)
{
    weft_str_copy (column (from, at), out, room);
}

static void
note_row (weft_flips_t *self, sqlite3_stmt *row)
{
    if (self->n_known == TOLD_MOST)
        return;
    known_t *one = &self->known[self->n_known++];
    copy (row, 0, one->filter, sizeof one->filter);
    copy (row, 1, one->sink, sizeof one->sink);
    one->at = sqlite3_column_double (row, 4);
}

static bool
is_known (const weft_flips_t *self,
          weft_str_t filter,
          weft_str_t sink,
          double at)
{
    for (uint32_t i = 0; i < self->n_known; i++) {
        const known_t *one = &self->known[i];
        if (weft_str_is (filter, one->filter) && weft_str_is (sink, one->sink))
            return one->at == at;
    }
    return false;
}

static uint32_t
look (weft_flips_t *self, double margin, told_t *told, int *rc)
{
    sqlite3_stmt *statement = self->statements[LOOK];
    uint32_t n = 0;
    int code;
    while ((code = sqlite3_step (statement)) == SQLITE_ROW && n < TOLD_MOST) {
        told_t *one = &told[n];
        note_row (self, statement);
        weft_str_t from = column (statement, 3);
        one->score = find_score (&self->scores, column (statement, 2));
        if (!one->score)
            continue;
        one->to = read_top (one->score, from, &one->p_to, &one->p_from);
        if (is_same (one->to, from) ||
            (one->p_to - one->p_from < margin && WEFT_FLIP_RULE (MARGIN)))
            continue;
        copy (statement, 0, one->filter, sizeof one->filter);
        copy (statement, 1, one->sink, sizeof one->sink);
        copy (statement, 3, one->class, sizeof one->class);
        n++;
    }
    sqlite3_reset (statement);
    *rc = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : error_of (code);
    return n;
}

//  Rounded up to the week: a row that is touched often stays where it is in the
//  index.
static double
week_of (double now)
{
    return ceil (now / (7 * 86400)) * 7 * 86400;
}

static int
note_known (weft_flips_t *self,
            weft_str_t object,
            const weft_envelope_v1_t *envelope,
            const told_t *one,
            double now)
{
    sqlite3_stmt *know = self->statements[KNOW];
    bind_str (know, 1, object);
    bind_str (know, 2, weft_str (one->filter));
    bind_str (know, 3, weft_str (one->sink));
    bind_str (know, 4, one->to);
    sqlite3_bind_double (know, 5, envelope->t_obs);
    sqlite3_bind_int64 (know, 6, envelope->alert_id);
    sqlite3_bind_double (know, 7, week_of (now));
    return run (self, KNOW);
}

//  Reads the scores, if there are any that can be read.
static bool
has_scores (weft_flips_t *self, const weft_alert_t *alert)
{
    if (!self->asked)
        self->readable =
            !weft_alert_read (alert, &weft_scores_v1, &self->scores);
    self->asked = true;
    return self->readable;
}

int
weft_flips_check (weft_flips_t *self,
                  const weft_alert_t *alert,
                  double margin,
                  double now,
                  int (*each) (void *arg, const weft_flip_t *flip),
                  void *arg)
{
    char text[OBJECT_MOST];
    const weft_envelope_v1_t *envelope = weft_alert_envelope (alert);
    weft_str_t object = object_of (envelope, text);
    self->asked = false;
    self->n_known = 0;
    if (!has_bits (self, object) || !has_scores (self, alert))
        return 0;
    told_t *told = self->told;
    int rc;
    bind_str (self->statements[LOOK], 1, object);
    sqlite3_bind_double (self->statements[LOOK], 2,
                         WEFT_FLIP_RULE (NEWER) ? envelope->t_obs : 1e300);
    sqlite3_bind_int64 (self->statements[LOOK], 3, envelope->alert_id);
    uint32_t n = look (self, margin, told, &rc);
    for (uint32_t i = 0; i < n && !rc; i++) {
        const told_t *one = &told[i];
        weft_flip_t flip = { weft_str (one->filter),
                             weft_str (one->sink),
                             weft_str (one->class),
                             one->to,
                             one->p_from,
                             one->p_to,
                             one->score->model,
                             one->score->version };
        rc = each (arg, &flip);
        if (!rc && WEFT_FLIP_RULE (KNOWN))
            rc = note_known (self, object, envelope, one, now);
    }
    return rc;
}

int
weft_flips_told (weft_flips_t *self,
                 const weft_alert_t *alert,
                 weft_str_t filter,
                 weft_str_t sink,
                 double now)
{
    char text[OBJECT_MOST];
    float p, none;
    const weft_envelope_v1_t *envelope = weft_alert_envelope (alert);
    weft_str_t object = object_of (envelope, text);
    const weft_score_v1_t *score =
        has_scores (self, alert)
            ? find_score (&self->scores, (weft_str_t){ NULL, 0 })
            : NULL;
    if (!score)
        return 0;  //  nobody was told a class
    double at = week_of (now);
    int which = is_known (self, filter, sink, at) ? TELL_AGAIN : TELL;
    sqlite3_stmt *tell = self->statements[which];
    bind_str (tell, 1, object);
    bind_str (tell, 2, filter);
    bind_str (tell, 3, sink);
    bind_str (tell, 4, score->model);
    bind_str (tell, 5, read_top (score, weft_str (""), &p, &none));
    sqlite3_bind_double (tell, 6,
                         WEFT_FLIP_RULE (ORDER) ? envelope->t_obs : 1e300);
    sqlite3_bind_int64 (tell, 7, envelope->alert_id);
    if (which == TELL)
        sqlite3_bind_double (tell, 8, at);
    set_bits (self, object);
    return run (self, which);
}

int
weft_flips_event (weft_flips_t *self, const char *id, const weft_buf_t *section)
{
    sqlite3_stmt *leave = self->statements[LEAVE];
    sqlite3_bind_text (leave, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_blob (leave, 2, section->data, (int)section->size,
                       SQLITE_STATIC);
    return run (self, LEAVE);
}

static int
forget (weft_flips_t *self, const weft_row_put_t *rows, uint32_t n)
{
    int rc = weft_outbox_begin (self->outbox);
    for (uint32_t i = 0; i < n && !rc; i++) {
        bind_str (self->statements[GONE], 1, rows[i].id);
        rc = run (self, GONE);
    }
    if (!rc)
        rc = weft_outbox_commit (self->outbox);
    if (rc && weft_outbox_changing (self->outbox))
        weft_outbox_rollback (self->outbox);
    return rc;
}

//  If we die between the two, the rows find themselves in Redis the next time.
int
weft_flips_publish (weft_flips_t *self, weft_redis_t *redis, uint32_t *n)
{
    weft_row_put_t rows[EVENTS_MOST];
    char ids[EVENTS_MOST][WEFT_ROW_ID_MOST];
    sqlite3_stmt *left = self->statements[LEFT];
    weft_buf_t sections[EVENTS_MOST];
    int code, rc;
    *n = 0;
    sqlite3_bind_int (left, 1, EVENTS_MOST);
    while ((code = sqlite3_step (left)) == SQLITE_ROW && *n < EVENTS_MOST) {
        weft_buf_t *section = &sections[*n];
        copy (left, 0, ids[*n], sizeof ids[0]);
        weft_buf_init (section, WEFT_ROW_MOST);
        weft_buf_add (section, sqlite3_column_blob (left, 1),
                      (size_t)sqlite3_column_bytes (left, 1));
        rows[*n] = (weft_row_put_t){ .id = weft_str (ids[*n]),
                                     .row = section->data,
                                     .size = section->size };
        (*n)++;
    }
    sqlite3_reset (left);
    rc = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : error_of (code);
    if (!rc && *n > 0)
        rc = weft_rows_put (redis, "event", rows, *n);
    if (!rc && *n > 0)
        rc = weft_rows_trim (redis, "event", WEFT_FLIPS_EVENTS);
    if (!rc && *n > 0)
        rc = forget (self, rows, *n);
    for (uint32_t i = 0; i < *n; i++)
        weft_buf_fini (&sections[i]);
    return rc;
}

int
weft_flips_prune (weft_flips_t *self, double before)
{
    sqlite3_stmt *old = self->statements[OLD], *all = self->statements[COUNT];
    int64_t rows =
        sqlite3_step (all) == SQLITE_ROW ? sqlite3_column_int64 (all, 0) : 0;
    sqlite3_reset (all);
    int64_t over = rows - WEFT_FLIPS_TOLD;
    sqlite3_bind_double (old, 1, over > 0 ? 1e300 : before);
    sqlite3_bind_int64 (old, 2,
                        over > 0 ? WEFT_MIN (over, PRUNE_MOST) : PRUNE_MOST);
    return run (self, OLD);
}
