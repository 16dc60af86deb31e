//  weft_input_topic.c - a Kafka topic as it stands, looked at from outside.
//
//  No group is joined and nothing is committed: whoever consumes the topic does
//  not notice. One partition is read after the other, each up to where it ended
//  when its turn came, so that a topic that is written all the time has an end.

#include "weft_hash.h"
#include "weft_kafka_conf.h"
#include "weft_time.h"

enum {
    ANSWER_MS = 10000,   //  a broker has so long for an answer
    SILENCE_MS = 30000,  //  nothing came although there is more
    TOPIC_MOST = 250,    //  bytes, of Kafka itself
};

typedef struct {
    weft_input_t input;  //  first: what callers hold
    rd_kafka_t *rk;
    char topic[TOPIC_MOST];
    int64_t last;  //  messages before the end of each partition; 0: all
    int32_t *partitions;
    int n_partitions;
    int turn;     //  the partition that is read
    int64_t end;  //  its offset behind the last; 0: not begun
    rd_kafka_message_t *current;
    int64_t items;  //  given so far
    bool ended;
    char path[TOPIC_MOST + 32];
    char why[WEFT_INPUT_WHY];
    char said[256];  //  by librdkafka last
} topic_t;

//  Why a broker cannot be reached comes in its log only.
static void
keep_log (const rd_kafka_t *rk,
          int level,
          const char *facility,
          const char *text)
{
    topic_t *self = rd_kafka_opaque (rk);
    (void)facility;
    if (level <= 4 && self)
        snprintf (self->said, sizeof (self->said), "%.255s", text);
}

//  "@FILE" is what the file says; secrets come in no other way, as anybody on
//  the machine reads a command line.
static int
set_from (rd_kafka_conf_t *conf, const char *name, const char *value, char *why)
{
    if (*value == '@')
        return weft_kafka_set_from_file (conf, name, value + 1, why);
    if (!weft_kafka_is_secret (name))
        return weft_kafka_set (conf, name, value, why);
    snprintf (why, WEFT_INPUT_WHY,
              "%.100s is a secret, which comes from a file: %.100s=@FILE", name,
              name);
    return WEFT_ECONFIG;
}

//  "last=N", or a property of librdkafka.
static int
take_option (topic_t *self, rd_kafka_conf_t *conf, char *option, char *why)
{
    char *equals = strchr (option, '=');
    int end = 0;
    if (!equals || equals == option) {
        snprintf (why, WEFT_INPUT_WHY, "'%.200s', expected name=value", option);
        return WEFT_ECONFIG;
    }
    *equals = 0;
    if (strcmp (option, "last") != 0)
        return set_from (conf, option, equals + 1, why);
    long long last = 0;
    if (sscanf (equals + 1, "%lld%n", &last, &end) == 1 && last > 0 &&
        !equals[1 + end]) {
        self->last = last;
        return 0;
    }
    snprintf (why, WEFT_INPUT_WHY, "last=%.100s, expected a number from 1",
              equals + 1);
    return WEFT_ECONFIG;
}

//  kafka://HOST:PORT[,HOST:PORT...]/TOPIC[?name=value&...]; `text` is cut up.
static int
parse (topic_t *self, rd_kafka_conf_t *conf, char *text, char *why)
{
    char *brokers = text + strlen (WEFT_INPUT_TOPIC);
    char *slash = strchr (brokers, '/');
    char *options = slash ? strchr (slash, '?') : NULL;
    if (options)
        *options++ = 0;
    if (!slash || slash == brokers || !slash[1] || strchr (slash + 1, '/') ||
        strlen (slash + 1) >= sizeof (self->topic)) {
        snprintf (why, WEFT_INPUT_WHY,
                  "expected kafka://HOST:PORT/TOPIC[?last=N&name=value]");
        return WEFT_ECONFIG;
    }
    *slash = 0;
    snprintf (self->topic, sizeof (self->topic), "%s", slash + 1);
    int rc = weft_kafka_set (conf, "bootstrap.servers", brokers, why);
    for (char *next; !rc && options; options = next) {
        next = strchr (options, '&');
        if (next)
            *next++ = 0;
        rc = take_option (self, conf, options, why);
    }
    return rc;
}

//  What makes it a spectator, last so that nothing overrides it.
static int
set_fixed (topic_t *self, rd_kafka_conf_t *conf, char *why)
{
    static const char *const fixed[][2] = {
        { "group.id", "weft-spectator" },  //  asked for, never joined
        { "enable.auto.commit", "false" },
        { "enable.auto.offset.store", "false" },
        { "allow.auto.create.topics", "false" },
        { "enable.partition.eof", "true" },
        { "auto.offset.reset", "earliest" },
        { "check.crcs", "true" },
        { "queued.max.messages.kbytes", "16384" },
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < WEFT_COUNT (fixed); i++)
        rc = weft_kafka_set (conf, fixed[i][0], fixed[i][1], why);
    rd_kafka_conf_set_opaque (conf, self);
    rd_kafka_conf_set_log_cb (conf, keep_log);
    return rc;
}

static int
tell (topic_t *self, rd_kafka_resp_err_t err, char *why)
{
    snprintf (why, WEFT_INPUT_WHY, "topic %s: %s%s%s", self->topic,
              rd_kafka_err2str (err), *self->said ? "; " : "", self->said);
    return WEFT_EDOWN;
}

static int
by_number (const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    return a < b ? -1 : a > b;
}

static int
take_partitions (topic_t *self, const rd_kafka_metadata_t *data, char *why)
{
    const rd_kafka_metadata_topic_t *topic = data->topics;
    if (data->topic_cnt != 1 || topic->err || topic->partition_cnt < 1)
        return tell (self,
                     data->topic_cnt == 1 && topic->err
                         ? topic->err
                         : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                     why);
    self->partitions =
        calloc ((size_t)topic->partition_cnt, sizeof (*self->partitions));
    if (!self->partitions)
        return WEFT_ENOMEM;
    for (int i = 0; i < topic->partition_cnt; i++)
        self->partitions[i] = topic->partitions[i].id;
    self->n_partitions = topic->partition_cnt;
    qsort (self->partitions, (size_t)self->n_partitions,
           sizeof (*self->partitions), by_number);
    return 0;
}

static int
find_partitions (topic_t *self, char *why)
{
    const rd_kafka_metadata_t *data = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new (self->rk, self->topic, NULL);
    rd_kafka_resp_err_t err =
        rd_kafka_metadata (self->rk, 0, topic, &data, ANSWER_MS);
    rd_kafka_topic_destroy (topic);
    if (err)
        return tell (self, err, why);
    int rc = take_partitions (self, data, why);
    rd_kafka_metadata_destroy (data);
    return rc;
}

//  Reads on at the next partition that has anything: 1, 0 at the end of all.
static int
begin_partition (topic_t *self)
{
    for (; self->turn < self->n_partitions; self->turn++) {
        int32_t partition = self->partitions[self->turn];
        int64_t low = 0, high = 0;
        rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets (
            self->rk, self->topic, partition, &low, &high, ANSWER_MS);
        if (err)
            return tell (self, err, self->why);
        int64_t start = self->last ? WEFT_MAX (low, high - self->last) : low;
        if (start >= high)
            continue;
        rd_kafka_topic_partition_list_t *list =
            rd_kafka_topic_partition_list_new (1);
        rd_kafka_topic_partition_list_add (list, self->topic, partition)
            ->offset = start;
        err = rd_kafka_assign (self->rk, list);
        rd_kafka_topic_partition_list_destroy (list);
        self->end = high;
        return err ? tell (self, err, self->why) : 1;
    }
    return 0;
}

static bool
is_over (const topic_t *self, const rd_kafka_message_t *m)
{
    return m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
           (!m->err && m->offset >= self->end);
}

//  1: it is one of this partition, 0: that is over, WEFT_EAGAIN: neither, or an
//  error.
static int
judge (topic_t *self, const rd_kafka_message_t *m)
{
    if (m->partition >= 0 && m->partition != self->partitions[self->turn])
        return WEFT_EAGAIN;
    if (is_over (self, m))
        return 0;
    return m->err ? tell (self, m->err, self->why) : 1;
}

//  The next message of this partition: 1, 0 at its end, or an error.
static int
read_partition (topic_t *self)
{
    for (int64_t until = weft_time_ms () + SILENCE_MS;;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll (self->rk, 100);
        int rc = m ? judge (self, m) : WEFT_EAGAIN;
        if (rc == 1) {
            self->current = m;
            return 1;
        }
        if (m)
            rd_kafka_message_destroy (m);
        if (rc != WEFT_EAGAIN)
            return rc;
        if (weft_time_ms () > until)
            return tell (self, RD_KAFKA_RESP_ERR__TIMED_OUT, self->why);
    }
}

static int
read_next (topic_t *self)
{
    int rc = self->ended ? 0 : 1;
    while (rc == 1 && !self->current) {
        if (!self->end)
            rc = begin_partition (self);
        if (rc != 1)
            break;
        rc = read_partition (self);
        if (rc == 0) {
            self->end = 0;
            self->turn++;
            rc = 1;
        }
    }
    self->ended |= rc != 1;
    return rc;
}

static int
topic_next (weft_input_t *input, weft_message_t *message)
{
    topic_t *self = (topic_t *)(void *)input;
    int rc = read_next (self);
    const rd_kafka_message_t *m = self->current;
    if (!rc)
        return 0;
    if (rc < 0) {
        *message = (weft_message_t){ .path = self->topic, .why = self->why };
        return 1;
    }
    snprintf (self->path, sizeof (self->path), "%s/%d/%lld", self->topic,
              (int)m->partition, (long long)m->offset);
    *message = (weft_message_t){
        .place = { .offset = self->items },
        .path = self->path,
        .data = m->payload ? m->payload : (const uint8_t *)"",
        .size = m->payload ? m->len : 0,
        .partition = m->partition,
    };
    return 1;
}

static void
topic_advance (weft_input_t *input, uint64_t items)
{
    topic_t *self = (topic_t *)(void *)input;
    self->items += (int64_t)items;
    if (self->current)
        rd_kafka_message_destroy (self->current);
    self->current = NULL;
}

static int
topic_seek (weft_input_t *input, const weft_place_t *place)
{
    (void)input;
    return place->offset ? WEFT_ENOENT : 0;
}

static uint64_t
topic_identity (const weft_input_t *input)
{
    const topic_t *self = (const topic_t *)(const void *)input;
    return weft_hash (self->topic, strlen (self->topic));
}

static void
topic_destroy (weft_input_t **self_p)
{
    topic_t *self = (topic_t *)(void *)*self_p;
    if (self->current)
        rd_kafka_message_destroy (self->current);
    if (self->rk) {
        (void)rd_kafka_consumer_close (self->rk);
        rd_kafka_destroy (self->rk);
    }
    free (self->partitions);
    free (self);
    *self_p = NULL;
}

//  A consumer of these brokers; its configuration is taken or freed.
static int
connect_to (topic_t *self, const char *url, char *why)
{
    char library[256] = "", *text = strdup (url);
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    int rc = text ? parse (self, conf, text, why) : WEFT_ENOMEM;
    if (!rc)
        rc = set_fixed (self, conf, why);
    if (!rc)
        self->rk =
            rd_kafka_new (RD_KAFKA_CONSUMER, conf, library, sizeof (library));
    free (text);
    if (!self->rk) {
        rd_kafka_conf_destroy (conf);
        if (!rc)
            snprintf (why, WEFT_INPUT_WHY, "%s", library);
        return rc ? rc : WEFT_ECONFIG;
    }
    rd_kafka_poll_set_consumer (self->rk);
    return 0;
}

weft_input_t *
weft_input_topic (const char *url, char why[WEFT_INPUT_WHY])
{
    topic_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->input = (weft_input_t){ .next = topic_next,
                                  .advance = topic_advance,
                                  .seek = topic_seek,
                                  .identity = topic_identity,
                                  .destroy = topic_destroy };
    weft_input_t *input = &self->input;
    int rc = connect_to (self, url, why);
    if (!rc)
        rc = find_partitions (self, why);
    if (rc)
        topic_destroy (&input);
    return input;
}
