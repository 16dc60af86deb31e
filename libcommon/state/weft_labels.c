//  weft_labels.c - see weft_labels.h.

#include "weft_labels.h"

#include "weft_hash.h"
#include "weft_queries.h"
#include "weft_rows.h"
#include "weft_time.h"

#include <math.h>

//  KEYS: row, index, seq, objects, classes. ARGV: id, row, object, class.
//  Returns 1 for a new row, the standing row if there is one, or -1 if the
//  class may not be used. The counter moves only for a row that is not there,
//  so issuing it again changes nothing.
static const char put_script[] =
    "local row = redis.call ('GET', KEYS[1])\n"
    "if row then return row end\n"
    "if redis.call ('EXISTS', KEYS[5]) == 1 and\n"
    "   redis.call ('SISMEMBER', KEYS[5], ARGV[4]) == 0 then return -1 end\n"
    "local number = redis.call ('INCR', KEYS[3])\n"
    "redis.call ('SET', KEYS[1], ARGV[2])\n"
    "redis.call ('ZADD', KEYS[2], number, ARGV[1])\n"
    "redis.call ('HSET', KEYS[4], ARGV[3], number)\n"
    "return 1\n";

static const char *const verdicts[] = {
    [WEFT_LABEL_ADDED] = "added",
    [WEFT_LABEL_KNOWN] = "known",
    [WEFT_LABEL_TAKEN] = "id taken by another label",
    [WEFT_LABEL_NO_CLASS] = "unknown class",
};

const char *
weft_label_verdict_text (weft_label_verdict_t verdict)
{
    return verdicts[verdict];
}

bool
weft_label_held_out (const char *object, size_t size)
{
    //  Another hash than that of random picks, which must not depend on it.
    return weft_hash_u64 (weft_hash (object, size) ^ 0x7e57) % 10 >= 8;
}

//  Printable, 1 to `most` bytes, none of `without`.
static bool
is_plain (weft_str_t text, size_t most, const char *without)
{
    if (text.n == 0 || text.n > most)
        return false;
    for (uint32_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] > '~' || strchr (without, text.p[i]))
            return false;
    return true;
}

static bool
is_survey (weft_str_t text)
{
    return weft_str_is (text, "ztf") || weft_str_is (text, "lsst") ||
           weft_str_is (text, "elasticc");
}

//  Times are within living memory, or are taken for another unit.
static bool
is_time (double mjd)
{
    return mjd > 15020 && mjd < 100000;
}

int
weft_label_check (const weft_label_v1_t *label, char why[WEFT_LABEL_WHY])
{
    const char *wrong = NULL;
    if (!WEFT_HAS (label_v1, label, survey) || !is_survey (label->survey))
        wrong = "survey: expected ztf, lsst or elasticc";
    else if (!WEFT_HAS (label_v1, label, object_id) ||
             !is_plain (label->object_id, WEFT_LABEL_OBJECT - 10, " :,\""))
        wrong = "object_id: 1 to 38 characters without blanks, ':' and ','";
    else if (!WEFT_HAS (label_v1, label, class) ||
             !is_plain (label->class, WEFT_LABEL_CLASS, ",\"\\"))
        wrong = "class: 1 to 31 plain characters without ','";
    else if (!WEFT_HAS (label_v1, label, source) ||
             !is_plain (label->source, 64, "\"\\"))
        wrong = "source: 1 to 64 plain characters, who says so";
    else if (WEFT_HAS (label_v1, label, label_id) &&
             !is_plain (label->label_id, WEFT_LABEL_ID, " \""))
        wrong = "label_id: 1 to 128 characters without blanks";
    else if (WEFT_HAS (label_v1, label, requested_by) &&
             !is_plain (label->requested_by, 160, "\"\\"))
        wrong = "requested_by: 1 to 160 plain characters";
    else if (WEFT_HAS (label_v1, label, reported_at) &&
             !is_time (label->reported_at))
        wrong = "time: expected MJD (TAI), days, or a date in UTC";
    if (!wrong)
        return 0;
    snprintf (why, WEFT_LABEL_WHY, "%s", wrong);
    return WEFT_EMALFORMED;
}

//  The label's own id: what makes it this label, and nothing else.
static void
make_id (const weft_label_v1_t *label, char id[WEFT_LABEL_ID + 1])
{
    char text[512];
    uint8_t digest[32];
    bool timed = WEFT_HAS (label_v1, label, reported_at);
    bool retracted = WEFT_HAS (label_v1, label, retracted) && label->retracted;
    int n =
        snprintf (text, sizeof (text), "%.*s\n%.*s:%.*s\n%.*s\n%.9f\n%d",
                  (int)label->source.n, label->source.p, (int)label->survey.n,
                  label->survey.p, (int)label->object_id.n, label->object_id.p,
                  (int)label->class.n, label->class.p,
                  timed ? label->reported_at : 0.0, retracted);
    weft_sha256 (text, (size_t)n, digest);
    weft_hex (digest, 16, id);
}

static void
object_key (const weft_label_v1_t *label, char key[WEFT_LABEL_OBJECT])
{
    snprintf (key, WEFT_LABEL_OBJECT, "%.*s:%.*s", (int)label->survey.n,
              label->survey.p, (int)label->object_id.n, label->object_id.p);
}

//  Which query does it answer?
static int
find_queries (weft_redis_t *redis, weft_label_put_t *puts, size_t n)
{
    char keys[WEFT_LABEL_BATCH][WEFT_LABEL_OBJECT];
    char *ids[WEFT_LABEL_BATCH];
    const char *objects[WEFT_LABEL_BATCH];
    for (size_t i = 0; i < n; i++) {
        object_key (&puts[i].label, keys[i]);
        objects[i] = keys[i];
        ids[i] = puts[i].query;
    }
    return weft_queries_open_of (redis, objects, n, ids,
                                 sizeof (puts[0].query));
}

static void
fill_in (weft_label_put_t *put, double now)
{
    weft_label_v1_t *label = &put->label;
    if (WEFT_HAS (label_v1, label, label_id))
        weft_str_copy (label->label_id, put->id, sizeof (put->id));
    else
        make_id (label, put->id);
    WEFT_SET (label_v1, label, label_id, weft_str (put->id));
    if (!WEFT_HAS (label_v1, label, requested_by))
        WEFT_SET (label_v1, label, requested_by,
                  weft_str (put->query[0] ? put->query : "unsolicited"));
    if (!WEFT_HAS (label_v1, label, received_at))
        WEFT_SET (label_v1, label, received_at, now);
}

static int
ask_put (weft_batch_t *batch, const weft_label_put_t *put)
{
    char object[WEFT_LABEL_OBJECT];
    weft_buf_t row;
    weft_buf_init (&row, WEFT_ROW_MOST);
    int rc = weft_contract_encode (&weft_label_v1, &put->label, &row);
    if (!rc) {
        object_key (&put->label, object);
        weft_batch_script (batch, put_script, 5, 4);
        weft_batch_argf (batch, "label:row:%s", put->id);
        weft_batch_str (batch, "label:index");
        weft_batch_str (batch, "label:seq");
        weft_batch_str (batch, "label:objects");
        weft_batch_str (batch, "label:classes");
        weft_batch_str (batch, put->id);
        weft_batch_arg (batch, row.data, row.size);
        weft_batch_str (batch, object);
        weft_batch_arg (batch, put->label.class.p, put->label.class.n);
    }
    weft_buf_fini (&row);
    return rc;
}

static bool
same_text (weft_str_t a, weft_str_t b)
{
    return a.n == b.n && !memcmp (a.p, b.p, a.n);
}

//  Do both rows say the same? NaN where there is no time.
static bool
says_the_same (const weft_label_v1_t *a, const weft_label_v1_t *b)
{
    bool timed = WEFT_HAS (label_v1, a, reported_at);
    return same_text (a->survey, b->survey) &&
           same_text (a->object_id, b->object_id) &&
           same_text (a->class, b->class) && same_text (a->source, b->source) &&
           timed == WEFT_HAS (label_v1, b, reported_at) &&
           (!timed || fabs (a->reported_at - b->reported_at) < 1e-9) &&
           (a->retracted != 0) == (b->retracted != 0);
}

static void
read_verdict (weft_label_put_t *put, const weft_reply_t *reply)
{
    weft_label_v1_t standing;
    weft_bin_t row = weft_reply_bytes (reply);
    if (!row.p)
        put->verdict = weft_reply_int (reply, -1) == 1 ? WEFT_LABEL_ADDED
                                                       : WEFT_LABEL_NO_CLASS;
    else if (!weft_contract_decode (&weft_label_v1, &standing, row.p, row.n) &&
             says_the_same (&put->label, &standing))
        put->verdict = WEFT_LABEL_KNOWN;
    else
        put->verdict = WEFT_LABEL_TAKEN;
}

int
weft_labels_put (weft_redis_t *redis, weft_label_put_t *puts, size_t n)
{
    if (n > WEFT_LABEL_BATCH)
        return WEFT_ETOOBIG;
    int rc = find_queries (redis, puts, n);
    if (rc)
        return rc;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    double now = weft_time_mjd_tai ();
    for (size_t i = 0; !rc && i < n; i++) {
        fill_in (&puts[i], now);
        rc = ask_put (batch, &puts[i]);
    }
    rc = rc ? rc : weft_batch_run (batch);
    for (size_t i = 0; !rc && i < n; i++)
        read_verdict (&puts[i], weft_batch_reply (batch, i));
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_labels_allow (weft_redis_t *redis, const char *classes)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    while (*classes) {
        size_t size = strcspn (classes, ",");
        weft_batch_begin (batch, 3);
        weft_batch_str (batch, "SADD");
        weft_batch_str (batch, "label:classes");
        weft_batch_arg (batch, classes, size);
        classes += size + (classes[size] == ',');
    }
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_labels_last (weft_redis_t *redis, uint64_t *number)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "GET", "label:seq");
    int rc = weft_batch_run (batch);
    if (!rc)
        *number = (uint64_t)weft_reply_int (weft_batch_reply (batch, 0), 0);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_labels_of_objects (weft_redis_t *redis,
                        const char *const *objects,
                        size_t n,
                        bool *known)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < n; i++)
        weft_batch_words (batch, "HEXISTS", "label:objects", objects[i]);
    int rc = n ? weft_batch_run (batch) : 0;
    for (size_t i = 0; !rc && i < n; i++)
        known[i] = weft_reply_int (weft_batch_reply (batch, i), 0) == 1;
    weft_batch_destroy (&batch);
    return rc;
}
