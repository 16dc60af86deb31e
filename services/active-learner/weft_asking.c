//  weft_asking.c - see weft_asking.h.

#include "weft_asking.h"

#include "weft_candidate.h"
#include "weft_claim.h"
#include "weft_contracts.h"
#include "weft_labels.h"
#include "weft_pool.h"
#include "weft_queries.h"
#include "weft_strategy.h"
#include "weft_time.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

#define LIST_MOST 128   //  candidates read in one interval, of each pool
#define OBJECT_MOST 48  //  "survey:object_id", terminated
#define ID_MOST 160     //  query_id
#define CLAIM_SECONDS 86400

static_assert (WEFT_CANDIDATE_MOST <= WEFT_POOL_ENTRY_MOST &&
                   WEFT_CANDIDATE_MOST + 1024 <= WEFT_QUERY_MOST,
               "what asking adds has room");

typedef struct {
    char object[OBJECT_MOST];
    double score;
    size_t at, size;  //  entry in the list's bytes
    bool labelled;    //  its class is known by now
} candidate_t;

//  The best of one pool, best first.
typedef struct {
    char pool[WEFT_POOL_NAME_MOST];
    const char *strategy;  //  NULL: as the candidate says
    candidate_t items[LIST_MOST];
    size_t n;
    size_t next;
    bool more;  //  the pool has more than was read
    weft_buf_t bytes;
} list_t;

//  One interval at work.
typedef struct {
    const weft_asking_t *config;
    weft_redis_t *redis;
    weft_asked_t *asked;
    double now;     //  MJD TAI
    double newest;  //  MJD TAI
    list_t ranked;
    list_t random;
    char gone[2 * LIST_MOST][OBJECT_MOST];  //  to be taken out of both pools
    size_t n_gone;
    bool over;
} turn_t;

int32_t
weft_asking_night (double utc, double noon_utc_h)
{
    struct tm tm;
    time_t evening =
        (time_t)(floor ((utc - noon_utc_h * 3600) / 86400) * 86400);
    if (!gmtime_r (&evening, &tm))
        return 0;
    return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

void
weft_asking_pools (const char *requester,
                   char ranked[WEFT_POOL_NAME_MOST],
                   char random[WEFT_POOL_NAME_MOST])
{
    snprintf (ranked, WEFT_POOL_NAME_MOST, "%s", requester);
    snprintf (random, WEFT_POOL_NAME_MOST, "%s-random", requester);
}

static void
add_candidate (void *arg, weft_str_t object, double score, weft_bin_t entry)
{
    list_t *self = arg;
    if (self->n == LIST_MOST || object.n >= OBJECT_MOST)
        return;
    candidate_t *item = &self->items[self->n];
    item->score = score;
    item->at = self->bytes.size;
    item->size = entry.n;
    weft_str_copy (object, item->object, sizeof (item->object));
    weft_buf_add (&self->bytes, entry.p, entry.n);
    if (!self->bytes.error)
        self->n++;
}

//  What has a label teaches nothing by another one.
static int
mark_labelled (turn_t *self, list_t *list)
{
    const char *objects[LIST_MOST];
    bool known[LIST_MOST];
    for (size_t i = 0; i < list->n; i++)
        objects[i] = list->items[i].object;
    int rc = weft_labels_of_objects (self->redis, objects, list->n, known);
    for (size_t i = 0; !rc && i < list->n; i++)
        list->items[i].labelled = known[i];
    return rc;
}

static int
read_lists (turn_t *self)
{
    size_t most = WEFT_MIN (LIST_MOST, 4 * (size_t)self->config->batch + 16);
    int rc = weft_pool_top (self->redis, self->ranked.pool, most, add_candidate,
                            &self->ranked);
    if (!rc && self->config->random_share > 0)
        rc = weft_pool_top (self->redis, self->random.pool, most, add_candidate,
                            &self->random);
    self->ranked.more = self->ranked.n == most;
    self->random.more = self->random.n == most;
    rc = rc ? rc : mark_labelled (self, &self->ranked);
    return rc ? rc : mark_labelled (self, &self->random);
}

//  The list that pays for this rank; the other one if its pool is empty (not if
//  other replicas only took all that was read of it). NULL: no more in this
//  interval.
static list_t *
list_for (turn_t *self, uint32_t rank)
{
    bool random = weft_rank_is_random (rank, self->config->random_share);
    list_t *first = random ? &self->random : &self->ranked;
    list_t *second = random ? &self->ranked : &self->random;
    if (first->next < first->n)
        return first;
    return !first->more && second->next < second->n ? second : NULL;
}

static int
write_query (turn_t *self,
             const list_t *list,
             const candidate_t *item,
             weft_query_v1_t *query,
             char id[ID_MOST],
             weft_buf_t *out)
{
    const weft_asking_t *config = self->config;
    snprintf (id, ID_MOST, "%s:%s:%" PRId32, config->requester, item->object,
              self->asked->night);
    WEFT_SET (query_v1, query, query_id, weft_str (id));
    WEFT_SET (query_v1, query, requester, weft_str (config->requester));
    WEFT_SET (query_v1, query, night, self->asked->night);
    WEFT_SET (query_v1, query, rank, self->asked->spent + 1);
    WEFT_SET (query_v1, query, score, (float)item->score);
    WEFT_SET (query_v1, query, asked_at, self->now);
    WEFT_SET (query_v1, query, expires_at, self->now + config->expires_d);
    if (list->strategy)
        WEFT_SET (query_v1, query, strategy, weft_str (list->strategy));
    return weft_contract_encode (&weft_query_v1, query, out);
}

static int
issue (turn_t *self,
       const candidate_t *item,
       const char *id,
       const weft_buf_t *section,
       weft_query_verdict_t *verdict)
{
    weft_query_ask_t ask = {
        .night = self->asked->night,
        .rank = self->asked->spent + 1,
        .budget = self->config->budget,
        .object = item->object,
        .query_id = id,
        .now = self->now,
        .expires_at = self->now + self->config->expires_d,
        .section = section->data,
        .size = section->size,
    };
    return weft_query_issue (self->redis, &ask, verdict);
}

static void
drop (turn_t *self, const candidate_t *item)
{
    if (self->n_gone < WEFT_COUNT (self->gone))
        snprintf (self->gone[self->n_gone++], OBJECT_MOST, "%s", item->object);
}

//  Somebody else was faster: how many are there now?
static int
recount (turn_t *self)
{
    return weft_query_count (self->redis, self->asked->night,
                             &self->asked->spent);
}

static int
after_issue (turn_t *self,
             list_t *list,
             const candidate_t *item,
             weft_query_verdict_t verdict)
{
    switch (verdict) {
    case WEFT_QUERY_ISSUED:
        self->asked->asked++;
        self->asked->spent++;
        self->asked->open++;
        self->asked->random += list == &self->random;
        drop (self, item);
        return 0;
    case WEFT_QUERY_OPEN:
        drop (self, item);
        return 0;
    case WEFT_QUERY_TAKEN:
        list->next--;  //  the same candidate under the next rank
        return recount (self);
    case WEFT_QUERY_SPENT:
        self->over = true;
        return recount (self);
    }
    return WEFT_EBUG;
}

//  Is the candidate too old, or no candidate at all?
static bool
is_stale (turn_t *self, const weft_query_v1_t *query)
{
    return !WEFT_HAS (query_v1, query, last_mjd) ||
           query->last_mjd < self->newest - self->config->max_age_d;
}

static int
ask_one (turn_t *self, list_t *list)
{
    weft_query_v1_t query;
    weft_query_verdict_t verdict;
    weft_buf_t section;
    char id[ID_MOST];
    const candidate_t *item = &list->items[list->next++];
    if (item->labelled) {
        drop (self, item);
        return 0;
    }
    int rc = weft_contract_decode (&weft_query_v1, &query,
                                   list->bytes.data + item->at, item->size);
    if (rc || is_stale (self, &query)) {
        self->asked->stale++;
        drop (self, item);
        return 0;
    }
    weft_buf_init (&section, WEFT_QUERY_MOST);
    rc = write_query (self, list, item, &query, id, &section);
    rc = rc ? rc : issue (self, item, id, &section, &verdict);
    rc = rc ? rc : after_issue (self, list, item, verdict);
    weft_buf_fini (&section);
    return rc;
}

static int
ask_all (turn_t *self)
{
    int rc = 0;
    while (!rc && !self->over && self->asked->asked < self->config->batch &&
           self->asked->spent < self->config->budget) {
        list_t *list = list_for (self, self->asked->spent + 1);
        if (!list)
            break;
        rc = ask_one (self, list);
    }
    return rc;
}

//  What was asked for, or is stale, leaves both pools.
static int
forget_gone (turn_t *self)
{
    weft_str_t objects[2 * LIST_MOST];
    for (size_t i = 0; i < self->n_gone; i++)
        objects[i] = weft_str (self->gone[i]);
    if (!self->n_gone)
        return 0;
    int rc = weft_pool_remove (self->redis, self->ranked.pool, objects,
                               self->n_gone);
    return rc ? rc
              : weft_pool_remove (self->redis, self->random.pool, objects,
                                  self->n_gone);
}

//  One replica an interval.
static int
claim (turn_t *self, double utc)
{
    char key[128];
    int64_t interval =
        (int64_t)(utc * 1000 / (double)self->config->interval_ms);
    snprintf (key, sizeof (key), "ask:%s:%" PRId32 ":%" PRId64,
              self->config->requester, self->asked->night, interval);
    return weft_claim (
        self->redis, key, self->config->instance,
        WEFT_MIN (CLAIM_SECONDS, 60 + 2 * self->config->interval_ms / 1000),
        &self->asked->claimed, NULL, 0);
}

static int
run_turn (turn_t *self, double utc)
{
    int rc = claim (self, utc);
    if (rc || !self->asked->claimed)
        return rc;
    rc = weft_query_expire (self->redis, self->now, &self->asked->open);
    rc = rc ? rc : recount (self);
    if (rc || self->asked->spent >= self->config->budget)
        return rc;
    rc = read_lists (self);
    rc = rc ? rc : ask_all (self);
    int forgot = forget_gone (self);
    return rc ? rc : forgot;
}

int
weft_asking_turn (const weft_asking_t *self,
                  weft_redis_t *redis,
                  double utc,
                  double newest,
                  weft_asked_t *asked)
{
    *asked =
        (weft_asked_t){ .night = weft_asking_night (utc, self->noon_utc_h) };
    turn_t *turn = calloc (1, sizeof (*turn));
    if (!turn)
        return WEFT_ENOMEM;
    turn->config = self;
    turn->redis = redis;
    turn->asked = asked;
    turn->now = weft_time_tai_of_utc (utc / 86400 + WEFT_MJD_UNIX);
    turn->newest = newest;
    turn->random.strategy = "random";
    weft_asking_pools (self->requester, turn->ranked.pool, turn->random.pool);
    weft_buf_init (&turn->ranked.bytes, LIST_MOST * WEFT_POOL_ENTRY_MOST);
    weft_buf_init (&turn->random.bytes, LIST_MOST * WEFT_POOL_ENTRY_MOST);
    int rc = run_turn (turn, utc);
    weft_buf_fini (&turn->ranked.bytes);
    weft_buf_fini (&turn->random.bytes);
    free (turn);
    return rc;
}
