//  weft_kafka_census.c - who reads what, as a group's members say.

#include "weft_kafka_census.h"

#define NAME_MOST 249  //  of a topic, Kafka's own limit

typedef struct {
    char *name;
    bool wanted;         //  somebody reads it
    int32_t partitions;  //  that it has, 0: nobody knows
    uint8_t *taken;      //  a bit for each that somebody has
    size_t room;         //  bytes of that
} topic_t;

struct weft_census {
    topic_t *topics;
    uint32_t n, room;
};

//  A cursor over Kafka's bytes: integers with the highest byte first.
typedef struct {
    const uint8_t *at, *end;
} bytes_t;

static int
take_int (bytes_t *self, size_t size, int64_t *value)
{
    if ((size_t)(self->end - self->at) < size)
        return WEFT_ETRUNCATED;
    uint64_t bits = *self->at & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++)
        bits = bits << 8 | *self->at++;
    *value = (int64_t)bits;
    return 0;
}

//  The number of elements, of `least` bytes each.
static int
take_count (bytes_t *self, size_t least, int64_t *count)
{
    int rc = take_int (self, 4, count);
    if (rc)
        return rc;
    if (*count < 0)
        return WEFT_EMALFORMED;
    return (uint64_t)*count > (size_t)(self->end - self->at) / least
               ? WEFT_ETRUNCATED
               : 0;
}

static int
take_name (bytes_t *self, char name[NAME_MOST + 1])
{
    int64_t n;
    int rc = take_int (self, 2, &n);
    if (rc)
        return rc;
    if (n <= 0)
        return WEFT_EMALFORMED;
    if (n > NAME_MOST)
        return WEFT_ETOOBIG;
    if (self->end - self->at < n)
        return WEFT_ETRUNCATED;
    if (memchr (self->at, 0, (size_t)n))
        return WEFT_EMALFORMED;
    memcpy (name, self->at, (size_t)n);
    name[n] = 0;
    self->at += n;
    return 0;
}

//  A version, and the number of topics, of `least` bytes each.
static int
begin (bytes_t *self, size_t least, int64_t *n)
{
    int64_t version;
    int rc = take_int (self, 2, &version);
    if (!rc && version < 0)
        rc = WEFT_EMALFORMED;
    return rc ? rc : take_count (self, least, n);
}

static topic_t *
find (const weft_census_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->n; i++)
        if (!strcmp (self->topics[i].name, name))
            return &self->topics[i];
    return NULL;
}

static int
find_or_add (weft_census_t *self, const char *name, topic_t **topic)
{
    *topic = find (self, name);
    if (*topic)
        return 0;
    if (self->n == WEFT_CENSUS_TOPICS)
        return WEFT_ETOOBIG;
    if (self->n == self->room) {
        uint32_t room = self->room ? 2 * self->room : 16;
        topic_t *moved = realloc (self->topics, room * sizeof (*moved));
        if (!moved)
            return WEFT_ENOMEM;
        self->topics = moved;
        self->room = room;
    }
    *topic = &self->topics[self->n];
    **topic = (topic_t){ .name = strdup (name) };
    if (!(*topic)->name)
        return WEFT_ENOMEM;
    self->n++;
    return 0;
}

static int
set_taken (topic_t *topic, int64_t partition)
{
    if (partition < 0)
        return WEFT_ERANGE;
    if (partition >= WEFT_CENSUS_PARTITIONS)
        return WEFT_ETOOBIG;
    size_t byte = (size_t)partition / 8;
    if (byte >= topic->room) {
        size_t room = topic->room + byte + 1;
        uint8_t *moved = realloc (topic->taken, room);
        if (!moved)
            return WEFT_ENOMEM;
        memset (moved + topic->room, 0, room - topic->room);
        topic->taken = moved;
        topic->room = room;
    }
    topic->taken[byte] |= (uint8_t)(1u << partition % 8);
    return 0;
}

static int
take_partitions (bytes_t *bytes, topic_t *topic)
{
    int64_t n, partition;
    int rc = take_count (bytes, 4, &n);
    for (int64_t i = 0; !rc && i < n; i++) {
        rc = take_int (bytes, 4, &partition);
        if (!rc)
            rc = set_taken (topic, partition);
    }
    return rc;
}

//  Both begin with a version and the number of topics. Nothing at all: a member
//  that has said nothing yet.
static int
read_topics (weft_census_t *self, const void *data, size_t size, bool assigned)
{
    bytes_t bytes = { data, (const uint8_t *)data + size };
    char name[NAME_MOST + 1];
    topic_t *topic;
    int64_t n = 0;
    //  A name has its size before it, and the number of partitions behind it.
    int rc = size ? begin (&bytes, assigned ? 6 : 2, &n) : 0;
    for (int64_t i = 0; !rc && i < n; i++) {
        rc = take_name (&bytes, name);
        if (!rc)
            rc = find_or_add (self, name, &topic);
        if (!rc && assigned)
            rc = take_partitions (&bytes, topic);
        else if (!rc)
            topic->wanted = true;
    }
    return rc;
}

int
weft_census_subscription (weft_census_t *self, const void *data, size_t size)
{
    return read_topics (self, data, size, false);
}

int
weft_census_assignment (weft_census_t *self, const void *data, size_t size)
{
    return read_topics (self, data, size, true);
}

void
weft_census_topic (weft_census_t *self, const char *name, int32_t partitions)
{
    topic_t *topic = find (self, name);
    if (topic && topic->wanted)
        topic->partitions = WEFT_MIN (partitions, WEFT_CENSUS_PARTITIONS);
}

static bool
is_unread (const topic_t *topic, int32_t partition)
{
    size_t byte = (size_t)partition / 8;
    return partition < topic->partitions &&
           (byte >= topic->room || !(topic->taken[byte] >> partition % 8 & 1));
}

uint32_t
weft_census_unread (const weft_census_t *self,
                    const weft_census_t *before,
                    const char **name,
                    int32_t *partition)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        const topic_t *topic = &self->topics[i];
        const topic_t *then = before ? find (before, topic->name) : topic;
        for (int32_t p = 0; then && p < topic->partitions; p++)
            if (is_unread (topic, p) && is_unread (then, p) && !n++) {
                *name = topic->name;
                *partition = p;
            }
    }
    return n;
}

weft_census_t *
weft_census_new (void)
{
    return calloc (1, sizeof (weft_census_t));
}

void
weft_census_destroy (weft_census_t **self_p)
{
    weft_census_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->n; i++) {
        free (self->topics[i].name);
        free (self->topics[i].taken);
    }
    free (self->topics);
    free (self);
    *self_p = NULL;
}
