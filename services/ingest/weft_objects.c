//  weft_objects.c - histories in Redis, merged here.

#include "weft_objects.h"

#include "weft_log.h"

#define TRIES 32  //  races that one object may lose in a row

typedef struct {
    weft_history_t history;
    weft_curve_t curve;
    weft_buf_t blob;
    bool changed;
} object_t;

struct weft_objects {
    object_t items[WEFT_OBJECTS_MOST];
    size_t n;
    size_t first;                             //  of the answers in the batch
    weft_history_t asked[WEFT_OBJECTS_MOST];  //  as one array, for the calls
    size_t of[WEFT_OBJECTS_MOST];             //  whose they are
    weft_curve_t other;                       //  what the winner wrote
    size_t rows_most;
    double days;
    uint64_t keep_s;
};

weft_objects_t *
weft_objects_new (void)
{
    weft_objects_t *self = calloc (1, sizeof (*self));
    for (size_t i = 0; self && i < WEFT_OBJECTS_MOST; i++)
        weft_buf_init (&self->items[i].blob, WEFT_HISTORY_MOST);
    return self;
}

void
weft_objects_destroy (weft_objects_t **self_p)
{
    weft_objects_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < WEFT_OBJECTS_MOST; i++) {
        weft_curve_fini (&self->items[i].curve);
        weft_buf_fini (&self->items[i].blob);
    }
    weft_curve_fini (&self->other);
    free (self);
    *self_p = NULL;
}

void
weft_objects_limit (weft_objects_t *self,
                    size_t rows_most,
                    double days,
                    double idle_days)
{
    self->rows_most = rows_most;
    self->days = days;
    self->keep_s = (uint64_t)(idle_days * 86400);
}

void
weft_objects_clear (weft_objects_t *self)
{
    self->n = 0;
}

static bool
same (weft_str_t a, weft_str_t b)
{
    return a.n == b.n && !memcmp (a.p, b.p, a.n);
}

size_t
weft_objects_find (weft_objects_t *self,
                   weft_str_t survey,
                   weft_str_t object_id)
{
    for (size_t i = 0; i < self->n; i++)
        if (same (self->items[i].history.object_id, object_id) &&
            same (self->items[i].history.survey, survey))
            return i;
    assert (self->n < WEFT_OBJECTS_MOST);
    object_t *object = &self->items[self->n];
    object->history =
        (weft_history_t){ .survey = survey, .object_id = object_id };
    object->changed = false;
    object->history.keep_s = self->keep_s;
    object->curve.rows_most = self->rows_most;
    object->curve.days = self->days;
    weft_curve_clear (&object->curve);
    return self->n++;
}

weft_curve_t *
weft_objects_curve (weft_objects_t *self, size_t object)
{
    return &self->items[object].curve;
}

int
weft_objects_ask (weft_objects_t *self, weft_batch_t *batch)
{
    for (size_t i = 0; i < self->n; i++)
        self->asked[i] = self->items[i].history;
    return weft_history_get_ask (batch, self->asked, self->n, &self->first);
}

//  A blob that is no curve is as good as none: the next put mends it.
static void
unpack (weft_curve_t *curve, const weft_history_t *history)
{
    weft_curve_clear (curve);
    if (!history->blob)
        return;
    int rc = weft_curve_unpack (curve, history->blob, history->size);
    if (rc)
        weft_log (WEFT_ERROR, "INGEST-HISTORY-BAD", "%.*s: %s",
                  (int)history->object_id.n, history->object_id.p,
                  weft_error_text (rc));
}

int
weft_objects_answer (weft_objects_t *self, weft_batch_t *batch)
{
    int rc = weft_history_get_answer (batch, self->first, self->asked, self->n);
    for (size_t i = 0; !rc && i < self->n; i++) {
        self->items[i].history = self->asked[i];
        unpack (&self->items[i].curve, &self->asked[i]);
    }
    return rc;
}

int
weft_objects_merge (weft_objects_t *self,
                    size_t object,
                    weft_point_t *rows,
                    size_t n)
{
    bool changed;
    object_t *at = &self->items[object];
    int rc = weft_curve_merge (&at->curve, rows, n, &changed);
    at->changed |= !rc && changed;
    return rc;
}

static size_t
gather_changed (weft_objects_t *self)
{
    size_t n = 0;
    for (size_t i = 0; i < self->n; i++) {
        object_t *object = &self->items[i];
        if (!object->changed)
            continue;
        weft_buf_clear (&object->blob);
        weft_curve_pack (&object->curve, &object->blob);
        object->history.blob = object->blob.data;
        object->history.size = object->blob.size;
        self->asked[n] = object->history;
        self->of[n++] = i;
    }
    return n;
}

//  Another writer was first: its rows and ours, and once more.
static int
join_winner (weft_objects_t *self, object_t *object)
{
    unpack (&self->other, &object->history);
    object->changed = true;
    return weft_curve_merge (&object->curve, self->other.rows, self->other.n,
                             NULL);
}

static int
put (weft_objects_t *self, weft_batch_t *batch, size_t n)
{
    size_t first;
    weft_batch_clear (batch);
    int rc = weft_history_put_ask (batch, self->asked, n, &first);
    if (!rc)
        rc = weft_batch_run (batch);
    if (!rc)
        rc = weft_history_put_answer (batch, first, self->asked, n);
    for (size_t i = 0; !rc && i < n; i++) {
        object_t *object = &self->items[self->of[i]];
        object->history = self->asked[i];
        object->changed = false;
        if (self->asked[i].lost)
            rc = join_winner (self, object);
    }
    return rc;
}

int
weft_objects_store (weft_objects_t *self, weft_batch_t *batch)
{
    for (int i = 0; i < TRIES; i++) {
        size_t n = gather_changed (self);
        if (!n)
            return 0;
        int rc = put (self, batch, n);
        if (rc)
            return rc;
    }
    return WEFT_EAGAIN;
}
