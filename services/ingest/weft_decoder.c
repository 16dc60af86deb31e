//  weft_decoder.c - messages to items: containers, blocks, records.

#include "weft_decoder_parts.h"

weft_decoder_t *
weft_decoder_new (const char *schemas, char why[WEFT_AVRO_WHY])
{
    weft_decoder_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_AVRO_WHY, "out of memory");
        return NULL;
    }
    self->normal = &self->own;
    self->plans = weft_plan_cache_new ();
    if (!self->plans) {
        snprintf (why, WEFT_AVRO_WHY, "out of memory");
        weft_decoder_destroy (&self);
        return NULL;
    }
    if (schemas && *schemas) {
        self->registry = weft_avro_registry_new (schemas, why);
        if (!self->registry)
            weft_decoder_destroy (&self);
    }
    return self;
}

void
weft_decoder_destroy (weft_decoder_t **self_p)
{
    weft_decoder_t *self = *self_p;
    if (!self)
        return;
    weft_plan_cache_destroy (&self->plans);
    weft_avro_registry_destroy (&self->registry);
    weft_avro_container_destroy (&self->container);
    weft_normal_fini (&self->own);
    weft_normal_fini (&self->other);
    free (self);
    *self_p = NULL;
}

void
weft_decoder_ask (weft_decoder_t *self, weft_schema_client_t *client)
{
    self->client = client;
}

void
weft_decoder_into (weft_decoder_t *self, weft_normal_t *normal)
{
    self->normal = normal ? normal : &self->own;
}

static void
refuse (weft_decoder_t *self, int rc, const char *why)
{
    self->state = STATE_REFUSED;
    self->rc = rc;
    if (why != self->why)
        snprintf (self->why, sizeof (self->why), "%s", why);
}

static void
open_container (weft_decoder_t *self)
{
    int rc = 0;
    if (self->container)
        rc = weft_avro_container_reset (self->container, self->data, self->size,
                                        self->why);
    else if (!(self->container =
                   weft_avro_container_new (self->data, self->size, self->why)))
        rc = WEFT_EMALFORMED;
    if (rc) {
        refuse (self, rc, self->why);
        return;
    }
    size_t size;
    const char *text = weft_avro_container_schema (self->container, &size);
    self->entry = weft_plan_cache_find (self->plans, text, size);
    if (!self->entry)
        refuse (self, WEFT_ENOMEM, "out of memory");
    else
        self->state = STATE_BLOCKS;
}

void
weft_decoder_map (weft_decoder_t *self, const weft_mappings_t *mappings)
{
    weft_plan_cache_map (self->plans, mappings);
    if (self->state != STATE_BLOCKS)
        return;
    //  In the middle of a container: its schema is compiled anew.
    size_t size;
    const char *text = weft_avro_container_schema (self->container, &size);
    self->entry = weft_plan_cache_find (self->plans, text, size);
    if (!self->entry)
        refuse (self, WEFT_ENOMEM, "out of memory");
}

void
weft_decoder_open (weft_decoder_t *self, const void *data, size_t size)
{
    self->data = data;
    self->size = size;
    self->entry = NULL;
    self->index = 0;
    self->left = self->unread = 0;
    self->lost = false;
    self->at = 0;
    *self->why = *self->named = 0;
    if (weft_avro_container_is (data, size))
        open_container (self);
    else if (size > 5 && !*self->data)
        self->state = STATE_DATUM;
    else if (!size)
        refuse (self, WEFT_EMALFORMED, "no bytes at all");
    else
        refuse (self, WEFT_EMALFORMED,
                "neither an Avro container (Obj 01) nor a Confluent-framed "
                "message (00, schema id); the schema of a bare datum is not "
                "guessed");
}

void
weft_decoder_close (weft_decoder_t *self)
{
    self->state = STATE_DONE;
    self->entry = NULL;
    self->data = NULL;
    self->size = 0;
}

//  Is there nothing before and behind the item that is being answered?
static bool
is_alone (const weft_decoder_t *self)
{
    if (self->index || self->left)
        return false;
    return self->state != STATE_BLOCKS ||
           weft_avro_container_done (self->container);
}

static void
answer (weft_decoder_t *self, weft_decoded_t *item, int rc, const char *why)
{
    *item = (weft_decoded_t){ .rc = rc,
                              .why = rc ? why : "",
                              .schema =
                                  self->entry ? self->entry->name : self->named,
                              .normal = rc ? NULL : self->normal,
                              .index = self->index,
                              .covers = 1,
                              .alone = is_alone (self) };
    self->index++;
}

//  The next block that has records. False: `item` says what is wrong, or there
//  is no more.
static bool
open_block (weft_decoder_t *self, weft_decoded_t *item, bool *told)
{
    *told = true;
    for (;;) {
        int rc =
            weft_avro_container_next (self->container, &self->block, self->why);
        if (rc <= 0)
            self->state = STATE_DONE;
        if (rc < 0)
            answer (self, item, rc, self->why);
        else if (!rc && !self->index)
            answer (self, item, WEFT_EMALFORMED, "container: no record in it");
        else if (!rc)
            *told = false;
        if (rc <= 0)
            return false;
        self->at = 0;
        self->left = self->block.records;
        self->unread = 0;
        self->lost = false;
        if (self->left > self->block.size) {
            self->state = STATE_DONE;
            answer (self, item, WEFT_EMALFORMED,
                    "container: a block claims more records than bytes");
            return false;
        }
        if (self->left)
            return true;
    }
}

//  The rest of a block behind a damaged record: one item for all that its header
//  counts, which may be far more than there are bytes for.
static void
lose_rest (weft_decoder_t *self, weft_decoded_t *item)
{
    uint32_t n = self->left + 1;
    snprintf (self->why, sizeof (self->why),
              "container: %u more of this block cannot be found, as the record "
              "before is damaged",
              n);
    answer (self, item, WEFT_EMALFORMED, self->why);
    item->covers = n;
    self->index += self->left;
    self->left = 0;
}

//  A mapping came in the middle of a block: the records before it were refused
//  without being read, and where the next one is is behind them.
static void
catch_up (weft_decoder_t *self)
{
    for (; self->unread && !self->lost; self->unread--) {
        size_t used;
        int rc = weft_planned_decode (
            self->entry, &self->other, self->block.data + self->at,
            self->block.size - self->at, false, &used);
        self->at += used;
        self->lost = rc && rc != WEFT_ERANGE;
    }
}

//  A record of a block.
static void
next_record (weft_decoder_t *self, weft_decoded_t *item, bool skip)
{
    weft_planned_t *entry = self->entry;
    self->left--;
    if (skip && !self->left) {
        answer (self, item, WEFT_EAGAIN, "");
        return;
    }
    if (entry->rc) {
        self->unread++;
        answer (self, item, entry->rc, entry->why);
        return;
    }
    catch_up (self);
    if (self->lost) {
        lose_rest (self, item);
        return;
    }
    size_t used;
    int rc =
        weft_planned_decode (entry, self->normal, self->block.data + self->at,
                             self->block.size - self->at, !self->left, &used);
    self->at += used;
    //  A record that was read but is not plausible loses no others.
    if (rc && rc != WEFT_ERANGE)
        self->lost = true;
    answer (self, item, rc, self->normal->why);
}

static bool
next_item (weft_decoder_t *self, weft_decoded_t *item, bool skip)
{
    bool told = true;
    switch (self->state) {
    case STATE_REFUSED:
        self->state = STATE_DONE;
        answer (self, item, self->rc, self->why);
        return true;
    case STATE_DATUM: {
        int rc = skip ? 0 : weft_decoder_framed (self);
        //  The item is still to come when its schema is.
        self->state = rc == WEFT_EAGAIN ? STATE_DATUM : STATE_DONE;
        answer (self, item, rc, self->why);
        self->index -= rc == WEFT_EAGAIN;
        return true;
    }
    case STATE_BLOCKS:
        if (self->left || open_block (self, item, &told)) {
            next_record (self, item, skip);
            return true;
        }
        return told;
    default:
        return false;
    }
}

bool
weft_decoder_next (weft_decoder_t *self, weft_decoded_t *item)
{
    return next_item (self, item, false);
}

uint32_t
weft_decoder_skip (weft_decoder_t *self)
{
    weft_decoded_t item;
    return next_item (self, &item, true) ? item.covers : 0;
}
