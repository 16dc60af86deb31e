//  object_move.c - two histories, written one after the other.

#include "object_move.h"

#include <math.h>

#include "weft_events.h"
#include "weft_owner.h"

#define OWNER_DAYS 7  //  as ingest's owner_days

int
object_open (object_t *self,
             weft_redis_t *bulk,
             const char *survey,
             const char *name)
{
    self->objects = weft_objects_new ();
    self->batch = weft_batch_new (bulk, 0);
    int rc = self->objects && self->batch ? 0 : WEFT_ENOMEM;
    if (!rc) {
        (void)weft_objects_find (self->objects, weft_str (survey),
                                 weft_str (name));
        rc = weft_objects_ask (self->objects, self->batch);
    }
    if (!rc)
        rc = weft_batch_run (self->batch);
    if (!rc)
        rc = weft_objects_answer (self->objects, self->batch);
    if (rc)
        object_close (self);
    return rc;
}

void
object_close (object_t *self)
{
    weft_batch_destroy (&self->batch);
    weft_objects_destroy (&self->objects);
}

const weft_curve_t *
object_curve (const object_t *self)
{
    return weft_objects_curve (self->objects, 0);
}

size_t
object_bytes (const object_t *self)
{
    weft_buf_t packed;
    weft_buf_init (&packed, WEFT_HISTORY_MOST);
    weft_curve_pack (object_curve (self), &packed);
    size_t size = packed.size;
    weft_buf_fini (&packed);
    return size;
}

static int
merge_and_store (object_t *self, weft_point_t *rows, size_t n)
{
    int rc = weft_objects_merge (self->objects, 0, rows, n);
    return rc ? rc : weft_objects_store (self->objects, self->batch);
}

//  From now on the survey's own packets of a version that has moved are told
//  whose it is.
static int
claim (const object_move_t *order,
       weft_batch_t *batch,
       const weft_point_t *stones,
       size_t n)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        const weft_owner_t owner = { .survey = weft_str (order->survey),
                                     .night = (int32_t)floor (stones[i].mjd),
                                     .source = stones[i].key,
                                     .version = stones[i].ver[0],
                                     .object = weft_str (order->into) };
        if (stones[i].kind == WEFT_KIND_D)
            rc = weft_owner_set (batch, &owner, 1, OWNER_DAYS);
    }
    return rc;
}

static int
tell (const object_move_t *order, const weft_point_t *stones, size_t n)
{
    weft_event_t event = { .kind = order->all ? "merged" : "reassociated",
                           .survey = weft_str (order->survey),
                           .object_id = weft_str (order->into),
                           .from = order->from,
                           .to = order->into,
                           .reason = order->reason };
    if (order->all)
        return weft_events_put (order->redis, &event);
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        event.source = stones[i].key;
        event.version = stones[i].ver[0] + stones[i].ver[1];
        rc = weft_events_put (order->redis, &event);
    }
    return rc;
}

static int
move_between (const object_move_t *order,
              object_t *from,
              object_t *into,
              size_t *moved)
{
    const weft_curve_t *curve = object_curve (from);
    weft_point_t *rows = calloc (2 * curve->n + 1, sizeof (*rows));
    if (!rows)
        return WEFT_ENOMEM;
    weft_point_t *stones = rows + curve->n;
    size_t n = weft_curve_move (curve, object_curve (into), order->keys,
                                order->n_keys, order->all, rows, stones);
    int rc = n ? merge_and_store (into, rows, n) : 0;
    if (!rc && n && strcmp (order->survey, "lsst") == 0)
        rc = claim (order, into->batch, stones, n);
    if (!rc && n)
        rc = tell (order, stones, n);
    if (!rc && n)
        rc = merge_and_store (from, stones, n);
    free (rows);
    *moved = n;
    return rc;
}

int
object_move (const object_move_t *order, size_t *moved)
{
    object_t from, into;
    *moved = 0;
    int rc = object_open (&from, order->bulk, order->survey, order->from);
    if (rc)
        return rc;
    rc = object_open (&into, order->bulk, order->survey, order->into);
    if (!rc) {
        rc = move_between (order, &from, &into, moved);
        object_close (&into);
    }
    object_close (&from);
    return rc;
}
