//  weft_objects.c - histories in Redis, merged here.

#include "weft_objects.h"

#include "weft_hash.h"
#include "weft_log.h"

#define TRIES 32             //  races that one object may lose in a row
#define PUT_MOST (8u << 20)  //  bytes of one round trip, and one history

//  A long blob has room behind it for what comes next: an eighth of it, or twice
//  what came last, but not more than half. A short one is as soon written anew.
//  By object it is half of that to three halves: those that began together are not
//  all written anew together.
#define ROOM_FROM 4096  //  bytes
#define ROOM_PART 8
#define ROOM_PIECES 2
#define ROOM_MOST 2

//  Memory of each object that is kept from batch to batch.
#define KEEP_ROWS 4096           //  of 128 bytes
#define KEEP_BYTES (256u << 10)  //  packed

typedef struct {
    weft_history_t history;
    weft_curve_t curve;
    weft_curve_t news;  //  of the curve, not yet in Redis
    weft_buf_t blob;
    size_t first;  //  bytes of the first piece of what stands in Redis,
    size_t used;   //  of all pieces,
    size_t room;   //  and of the room behind them; 0: it is written anew
    size_t sent;   //  bytes of what is on its way there, without its zeros
    bool changed;
} object_t;

struct weft_objects {
    object_t items[WEFT_OBJECTS_MOST];
    size_t n;
    size_t first;                             //  of the answers in the batch
    weft_history_t asked[WEFT_OBJECTS_MOST];  //  as one array, for the calls
    size_t of[WEFT_OBJECTS_MOST];             //  whose they are
    weft_curve_t other;                       //  what the winner wrote
    uint64_t said;  //  version of the last history that was said to be newer
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
        weft_curve_fini (&self->items[i].news);
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

//  What an object of many rows has needed is not kept for life.
static void
trim (object_t *object)
{
    const weft_curve_t *curve = &object->curve;
    if (curve->room + curve->news_room + curve->added_room > KEEP_ROWS)
        weft_curve_fini (&object->curve);
    curve = &object->news;
    if (curve->room + curve->news_room > KEEP_ROWS)
        weft_curve_fini (&object->news);
    if (object->blob.room > KEEP_BYTES) {
        weft_buf_fini (&object->blob);
        weft_buf_init (&object->blob, WEFT_HISTORY_MOST);
    }
}

void
weft_objects_clear (weft_objects_t *self)
{
    for (size_t i = 0; i < self->n; i++)
        trim (&self->items[i]);
    if (self->other.room > KEEP_ROWS)
        weft_curve_fini (&self->other);
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
    weft_curve_clear (&object->news);
    object->first = object->used = object->room = 0;
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

//  Never written over: a newer ingest can read it. Said once, as it is asked for
//  again and again.
static void
say_newer (weft_objects_t *self, const weft_history_t *history)
{
    if (self->said == history->version)
        return;
    self->said = history->version;
    weft_log (WEFT_ERROR, "INGEST-HISTORY-NEWER",
              "lc:%.*s:%.*s has a layout that this program does not know, a "
              "newer one wrote it: it stays as it is and this batch waits; run "
              "one version, the newest, everywhere. Where none newer has run "
              "it is damage: delete that key",
              (int)history->survey.n, history->survey.p,
              (int)history->object_id.n, history->object_id.p);
}

//  What cannot be read is as good as none, and what stands before it in the same
//  blob is kept: the next put mends it. *whole: nothing was left out.
static int
unpack (weft_objects_t *self,
        weft_curve_t *curve,
        const weft_history_t *history,
        bool *whole)
{
    *whole = true;
    weft_curve_clear (curve);
    curve->n_added = curve->first = curve->packed = 0;
    if (!history->blob)
        return 0;
    int rc = weft_curve_unpack (curve, history->blob, history->size);
    *whole = !rc;
    if (rc == WEFT_EVERSION)
        say_newer (self, history);
    if (!rc || rc == WEFT_EVERSION || rc == WEFT_ENOMEM)
        return rc;
    weft_log (WEFT_ERROR, "INGEST-HISTORY-BAD",
              "lc:%.*s:%.*s: %s behind %zu of %zu bytes; the %zu rows before "
              "are kept, the rest is lost with the next put",
              (int)history->survey.n, history->survey.p,
              (int)history->object_id.n, history->object_id.p,
              weft_error_text (rc), curve->packed, history->size, curve->n);
    return 0;
}

int
weft_objects_answer (weft_objects_t *self, weft_batch_t *batch)
{
    int rc = weft_history_get_answer (batch, self->first, self->asked, self->n);
    for (size_t i = 0; !rc && i < self->n; i++) {
        object_t *object = &self->items[i];
        bool whole;
        object->history = self->asked[i];
        rc = unpack (self, &object->curve, &object->history, &whole);
        //  To what is broken, or none, nothing can be added.
        object->first = object->curve.first;
        object->used = object->curve.packed;
        object->room =
            whole && object->used ? object->history.size - object->used : 0;
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
    if (rc || !changed)
        return rc;
    at->changed = true;
    //  Only what is left out by limits now: written anew without it.
    if (!at->curve.n_news)
        at->room = 0;
    if (at->used)
        rc = weft_curve_merge (&at->news, at->curve.news, at->curve.n_news,
                               NULL);
    //  The news lack these rows, and a repetition finds nothing new.
    if (rc)
        at->room = 0;
    return rc;
}

static void
add_zeros (weft_buf_t *blob, size_t n)
{
    uint8_t *zeros = weft_buf_grow (blob, n);
    if (zeros)
        memset (zeros, 0, n);
}

//  Half of `room` to three halves, by object and `size`.
static size_t
spread (const weft_history_t *history, size_t room, size_t size)
{
    uint64_t id = weft_hash (history->object_id.p, history->object_id.n);
    return room / 2 + (size_t)(weft_hash_u64 (id ^ size) % (room + 1));
}

//  `last`: bytes of what has come last. WEFT_ENOMEM, WEFT_ETOOBIG.
static int
pack_whole (object_t *object, size_t last)
{
    weft_buf_t *blob = &object->blob;
    weft_buf_clear (blob);
    weft_curve_pack (&object->curve, blob);
    size_t size = blob->size;
    object->history.at = 0;
    size_t room = WEFT_MAX (size / ROOM_PART, ROOM_PIECES * last);
    room = spread (&object->history, room, size);
    object->sent = size;
    int rc = blob->error;
    if (size >= ROOM_FROM)
        weft_curve_add_room (blob, WEFT_MIN (room, size / ROOM_MOST));
    return rc;
}

//  The news as one more piece, if there is room for it.
static bool
pack_piece (object_t *object)
{
    weft_buf_clear (&object->blob);
    weft_curve_pack (&object->news, &object->blob);
    object->history.at = object->used;
    object->sent = object->blob.size;
    return object->room && !object->blob.error &&
           object->blob.size <= object->room;
}

//  The news and the pieces that there are as one: what was forced photometry
//  again and again is there once.
static bool
pack_pieces (object_t *object)
{
    weft_curve_t *curve = &object->curve, *news = &object->news;
    size_t old = object->used - object->first, n = 0;
    if (!object->room || !curve->n_added ||
        weft_curve_merge (news, curve->added, curve->n_added, NULL))
        return false;
    for (size_t i = 0; i < news->n; i++)  //  without what limits have dropped
        if (weft_curve_find (curve, news->rows[i].kind, news->rows[i].key))
            news->rows[n++] = news->rows[i];
    news->n = n;
    weft_buf_clear (&object->blob);
    weft_curve_pack (news, &object->blob);
    object->sent = object->blob.size;
    if (object->blob.size < old)
        add_zeros (&object->blob, old - object->blob.size);
    object->history.at = object->first;
    return !object->blob.error && object->blob.size <= old + object->room;
}

static int
pack (object_t *object)
{
    int rc = 0;
    if (!pack_piece (object)) {
        size_t last = object->blob.size;
        if (!pack_pieces (object))
            rc = pack_whole (object, last);
    }
    object->history.blob = object->blob.data;
    object->history.size = object->blob.size;
    return rc;
}

//  What is put in one round trip; the rest has its turn then.
static int
gather_changed (weft_objects_t *self, size_t *n)
{
    size_t bytes = 0;
    int rc = 0;
    *n = 0;
    for (size_t i = 0; !rc && i < self->n && bytes < PUT_MOST; i++) {
        object_t *object = &self->items[i];
        if (!object->changed)
            continue;
        rc = pack (object);
        bytes += object->history.size;
        self->asked[*n] = object->history;
        self->of[(*n)++] = i;
    }
    return rc;
}

//  Another writer was first: its rows and ours, and once more. If that fails, the
//  next try must lose again and not write over what was not read.
static int
join_winner (weft_objects_t *self, object_t *object)
{
    bool whole;
    int rc = unpack (self, &self->other, &object->history, &whole);
    object->changed = true;
    object->room = 0;
    if (!rc)
        rc = weft_curve_merge (&object->curve, self->other.rows, self->other.n,
                               NULL);
    if (rc)
        object->history.version = 0;
    return rc;
}

//  It stands there now. The curve does not tell any more what of it is in pieces,
//  so these stay. Zeros at its end are room: nothing is read behind them.
static void
end_put (object_t *object)
{
    const weft_history_t *history = &object->history;
    size_t all = history->at ? object->used + object->room : history->size;
    object->first = object->used = history->at + object->sent;
    object->room = all - object->used;
    object->curve.n_added = 0;
    object->changed = false;
    weft_curve_clear (&object->news);
}

static int
put (weft_objects_t *self, weft_batch_t *batch, size_t n, bool *lost)
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
        *lost |= object->history.lost;
        if (object->history.lost)
            rc = join_winner (self, object);
        else
            end_put (object);
    }
    return rc;
}

int
weft_objects_store (weft_objects_t *self, weft_batch_t *batch)
{
    int tries = 0;
    while (tries < TRIES) {
        bool lost = false;
        size_t n;
        int rc = gather_changed (self, &n);
        if (!rc && !n)
            return 0;
        if (!rc)
            rc = put (self, batch, n, &lost);
        if (rc)
            return rc;
        tries += lost;
    }
    return WEFT_EAGAIN;
}
