//  tap_places.c - the taps of a stage: found in the registry, listened to.
//
//  A process decides by the subscription how many alerts it sends us (a power of
//  two, weft_tap.h); the rest of the wish is kept here.

#include "tap_places.h"

#include <jansson.h>

#include "mesh_view.h"
#include "weft_tap.h"
#include "weft_taster.h"
#include "weft_time.h"

//  Together at most what weft_poll takes.
enum { PLACES_MOST = 31, KEYS_MOST = 4 };

//  One process, once for each key that it may have while keys are rotated.
typedef struct {
    char endpoint[256];
    char process[96];
    weft_taster_t *tasters[KEYS_MOST];
    uint64_t last;  //  number that came last; 0: none
} place_t;

//  An alert that is not shown yet.
typedef struct {
    weft_alert_t *alert;
    uint64_t number;
    const char *process;
} kept_t;

struct tap_places {
    tap_wish_t wish;
    weft_mesh_t *mesh;
    unsigned zeros;  //  of the subscription
    size_t n;
    place_t places[PLACES_MOST];
    kept_t kept[WEFT_TAP_ALERTS];  //  a ring; n_kept from first_kept on
    size_t first_kept, n_kept;
    int64_t next_ms;
    uint64_t missed;
};

tap_places_t *
tap_places_new (const tap_wish_t *wish)
{
    tap_places_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->wish = *wish;
    self->mesh = weft_mesh_new (&(weft_mesh_config_t){ .keys = wish->keys });
    if (!self->mesh)
        tap_places_destroy (&self);
    return self;
}

void
tap_places_destroy (tap_places_t **self_p)
{
    tap_places_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++)
        for (size_t k = 0; k < KEYS_MOST; k++)
            weft_taster_destroy (&self->places[i].tasters[k]);
    for (; self->n_kept > 0; self->n_kept--)
        weft_alert_unref (
            &self->kept[self->first_kept++ % WEFT_TAP_ALERTS].alert);
    if (self->mesh)
        weft_mesh_destroy (&self->mesh);
    free (self);
}

static const char *
text_of (const json_t *entry, const char *key)
{
    const char *text = json_string_value (json_object_get (entry, key));
    return text ? text : "";
}

static bool
is_open (const tap_places_t *self, const char *endpoint)
{
    for (size_t i = 0; i < self->n; i++)
        if (strcmp (self->places[i].endpoint, endpoint) == 0)
            return true;
    return false;
}

//  All that would come, halved until it is about what is wished for; once, as
//  what is counted as missed rests on it.
static void
choose_zeros (tap_places_t *self, const json_t *stage)
{
    double rate = json_number_value (json_object_get (stage, "rate"));
    uint64_t every = self->wish.every;
    if (self->n > 0)
        return;
    self->zeros = 0;
    if (every)
        self->zeros = (unsigned)__builtin_ctzll (every);
    while (!every && self->wish.rate > 0 && rate > 2 * self->wish.rate) {
        rate /= 2;
        self->zeros++;
    }
    self->zeros = WEFT_MIN (self->zeros, WEFT_TAP_BITS);
}

static void
listen_to (tap_places_t *self, const json_t *entry)
{
    const char *endpoint = text_of (entry, "tap");
    if (self->n == PLACES_MOST || is_open (self, endpoint))
        return;
    place_t *place = &self->places[self->n++];
    snprintf (place->endpoint, sizeof place->endpoint, "%s", endpoint);
    snprintf (place->process, sizeof place->process, "%s",
              text_of (entry, "uuid"));
    for (size_t k = 0; k < (self->wish.keys ? KEYS_MOST : 1); k++) {
        const char *key = self->wish.keys ? weft_keys_of (self->wish.keys,
                                                          self->wish.stage, k)
                                          : NULL;
        if (key || !self->wish.keys)
            place->tasters[k] =
                weft_taster_new (self->mesh, endpoint, key, self->zeros);
    }
}

//  Is it a stage that others send to, though it has no entry of its own?
static bool
is_fed (const json_t *stages, const char *name)
{
    size_t i, o;
    json_t *stage, *output;
    json_array_foreach (stages, i, stage)
    {
        json_array_foreach (json_object_get (stage, "outputs"), o, output)
        {
            if (strcmp (json_string_value (output), name) == 0)
                return true;
        }
    }
    return false;
}

static int
nobody (const tap_places_t *self, const json_t *stages, char *why, size_t room)
{
    const char *name = self->wish.stage;
    if (is_fed (stages, name))
        snprintf (why, room,
                  "no process of stage %s is in the registry, though others "
                  "send to it: it is down, or a stage in Python, which has no "
                  "Redis and no tap; tap the stage before it",
                  name);
    else
        snprintf (why, room,
                  "no process of stage %s is in the registry; see "
                  "weft describe",
                  name);
    return WEFT_ENOENT;
}

//  Listens to the processes of one stage that can be listened to.
static int
listen_to_all (tap_places_t *self, const json_t *stage, char *why, size_t room)
{
    size_t i;
    json_t *entry;
    choose_zeros (self, stage);
    json_array_foreach (json_object_get (stage, "processes"), i, entry)
    {
        bool locked = json_is_true (json_object_get (entry, "encrypted"));
        if (!text_of (entry, "tap")[0])
            snprintf (why, room, "link.tap of stage %s is off",
                      self->wish.stage);
        else if (locked != (self->wish.keys != NULL))
            snprintf (why, room,
                      locked ? "the links of %s are encrypted, expected --keys "
                               "DIR"
                             : "the links of %s are plain text, expected no "
                               "--keys",
                      text_of (entry, "uuid"));
        else
            listen_to (self, entry);
    }
    return self->n > 0 ? 0 : WEFT_ENOENT;
}

int
tap_places_find (tap_places_t *self,
                 weft_redis_t *redis,
                 char *why,
                 size_t room)
{
    json_t *stages = NULL, *stage;
    size_t i;
    int rc = mesh_view_read (redis, &stages);
    if (rc)
        snprintf (why, room, "cannot read the registry: %s",
                  weft_error_text (rc));
    bool found = false;
    json_array_foreach (stages, i, stage)
    {
        if (strcmp (text_of (stage, "stage"), self->wish.stage) != 0)
            continue;
        found = true;
        rc = listen_to_all (self, stage, why, room);
    }
    if (!rc && !found)
        rc = nobody (self, stages, why, room);
    json_decref (stages);
    return rc;
}

//  Numbers begin anew when the process does, or when nobody had listened.
static void
count_missed (tap_places_t *self, place_t *place, uint64_t number)
{
    if (place->last && number > place->last)
        self->missed += ((number - place->last) >> self->zeros) - 1;
    place->last = number;
}

static bool
is_wished (tap_places_t *self, uint64_t number)
{
    int64_t now = weft_time_ms ();
    if (self->wish.every && number % self->wish.every != 0)
        return false;
    if (self->wish.rate <= 0)
        return true;
    if (now < self->next_ms)
        return false;
    self->next_ms = now + (int64_t)(1000 / self->wish.rate);
    return true;
}

static void
keep (tap_places_t *self,
      const place_t *place,
      weft_alert_t *alert,
      uint64_t number)
{
    if (self->n_kept == WEFT_TAP_ALERTS) {
        self->missed++;
        weft_alert_unref (&alert);
        return;
    }
    size_t at = (self->first_kept + self->n_kept++) % WEFT_TAP_ALERTS;
    self->kept[at] = (kept_t){ alert, number, place->process };
}

static void
read_dry (tap_places_t *self, place_t *place, weft_taster_t *taster)
{
    uint64_t number;
    for (;;) {
        weft_alert_t *alert = weft_taster_recv (taster, &number);
        if (number == 0)
            return;
        if (!alert)
            continue;
        count_missed (self, place, number);
        if (is_wished (self, number))
            keep (self, place, alert, number);
        else
            weft_alert_unref (&alert);
    }
}

bool
tap_places_turn (tap_places_t *self, int ms, int fd)
{
    weft_poll_item_t items[WEFT_POLL_MOST] = { { .fd = fd,
                                                 .wants_write = true } };
    weft_taster_t *tasters[WEFT_POLL_MOST];
    place_t *places[WEFT_POLL_MOST];
    size_t first = fd >= 0, n = first;
    for (size_t i = 0; i < self->n * KEYS_MOST; i++) {
        places[n] = &self->places[i / KEYS_MOST];
        tasters[n] = places[n]->tasters[i % KEYS_MOST];
        if (tasters[n]) {
            items[n] =
                (weft_poll_item_t){ .socket = weft_taster_socket (tasters[n]) };
            n++;
        }
    }
    (void)weft_poll (items, n, ms);
    for (size_t i = first; i < n; i++)
        if (items[i].ready)
            read_dry (self, places[i], tasters[i]);
    return first && items[0].ready;
}

weft_alert_t *
tap_places_next (tap_places_t *self, uint64_t *number, const char **process)
{
    if (self->n_kept == 0)
        return NULL;
    const kept_t *kept = &self->kept[self->first_kept];
    self->first_kept = (self->first_kept + 1) % WEFT_TAP_ALERTS;
    self->n_kept--;
    *number = kept->number;
    *process = kept->process;
    return kept->alert;
}

uint64_t
tap_places_missed (const tap_places_t *self)
{
    return self->missed;
}

size_t
tap_places_count (const tap_places_t *self)
{
    return self->n;
}
