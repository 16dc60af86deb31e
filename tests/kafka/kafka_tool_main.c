//  kafka_tool_main.c - what the tests do as a client of Kafka.
//
//    brokers BROKERS                      how many answer
//    create BROKERS TOPIC PARTITIONS COPIES
//    drop BROKERS TOPIC
//    feed BROKERS TOPIC                   stdin: u32 partition, u32 size, bytes
//    ends BROKERS TOPIC                   {"partition":[first, next]}
//    committed BROKERS GROUP TOPIC        {"partition":offset}
//    trim BROKERS TOPIC PARTITION OFFSET  deletes what lies before

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 30000, SIZE_MOST = 16 << 20 };

static int failed;  //  deliveries

static void
die (const char *what, const char *why)
{
    fprintf (stderr, "%s: %s\n", what, why);
    exit (1);
}

static rd_kafka_t *
open_client (rd_kafka_type_t type, const char *brokers, const char *group)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    rd_kafka_conf_set (conf, "bootstrap.servers", brokers, why, sizeof (why));
    rd_kafka_conf_set (conf, "log_level", "2", why, sizeof (why));
    //  A broker that is back is asked at once.
    rd_kafka_conf_set (conf, "reconnect.backoff.max.ms", "500", why,
                       sizeof (why));
    if (type == RD_KAFKA_PRODUCER) {
        rd_kafka_conf_set (conf, "enable.idempotence", "true", why,
                           sizeof (why));
        rd_kafka_conf_set (conf, "message.max.bytes", "16000000", why,
                           sizeof (why));
        rd_kafka_conf_set (conf, "queue.buffering.max.kbytes", "65536", why,
                           sizeof (why));
    }
    if (group)
        rd_kafka_conf_set (conf, "group.id", group, why, sizeof (why));
    rd_kafka_t *rk = rd_kafka_new (type, conf, why, sizeof (why));
    if (!rk)
        die ("client", why);
    return rk;
}

static void
brokers_of (const char *brokers)
{
    rd_kafka_t *rk = open_client (RD_KAFKA_PRODUCER, brokers, NULL);
    const struct rd_kafka_metadata *all;
    rd_kafka_resp_err_t err = rd_kafka_metadata (rk, 0, NULL, &all, 2000);
    printf ("%d\n", err ? 0 : all->broker_cnt);
    if (!err)
        rd_kafka_metadata_destroy (all);
    rd_kafka_destroy (rk);
}

//  Waits for the answer of an admin request, and says what is wrong with it.
static void
wait_answer (rd_kafka_queue_t *queue, const char *what)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll (queue, WAIT_MS);
    if (!event)
        die (what, "no answer");
    if (rd_kafka_event_error (event))
        die (what, rd_kafka_event_error_string (event));
    const rd_kafka_CreateTopics_result_t *made =
        rd_kafka_event_CreateTopics_result (event);
    size_t n = 0;
    const rd_kafka_topic_result_t **topics =
        made ? rd_kafka_CreateTopics_result_topics (made, &n) : NULL;
    for (size_t i = 0; i < n; i++)
        if (rd_kafka_topic_result_error (topics[i]))
            die (what, rd_kafka_topic_result_error_string (topics[i]));
    rd_kafka_event_destroy (event);
}

static void
create (const char *brokers, const char *topic, int partitions, int copies)
{
    char why[256];
    rd_kafka_t *rk = open_client (RD_KAFKA_PRODUCER, brokers, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new (rk);
    rd_kafka_NewTopic_t *made =
        rd_kafka_NewTopic_new (topic, partitions, copies, why, sizeof (why));
    if (!made)
        die (topic, why);
    rd_kafka_CreateTopics (rk, &made, 1, NULL, queue);
    wait_answer (queue, topic);
    rd_kafka_NewTopic_destroy (made);
    rd_kafka_queue_destroy (queue);
    rd_kafka_destroy (rk);
}

static void
drop (const char *brokers, const char *topic)
{
    rd_kafka_t *rk = open_client (RD_KAFKA_PRODUCER, brokers, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new (rk);
    rd_kafka_DeleteTopic_t *gone = rd_kafka_DeleteTopic_new (topic);
    rd_kafka_DeleteTopics (rk, &gone, 1, NULL, queue);
    wait_answer (queue, topic);
    rd_kafka_DeleteTopic_destroy (gone);
    rd_kafka_queue_destroy (queue);
    rd_kafka_destroy (rk);
}

static void
trim (const char *brokers, const char *topic, int partition, int64_t offset)
{
    rd_kafka_t *rk = open_client (RD_KAFKA_PRODUCER, brokers, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new (rk);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new (1);
    rd_kafka_topic_partition_list_add (list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *before = rd_kafka_DeleteRecords_new (list);
    rd_kafka_DeleteRecords (rk, &before, 1, NULL, queue);
    wait_answer (queue, topic);
    rd_kafka_DeleteRecords_destroy (before);
    rd_kafka_topic_partition_list_destroy (list);
    rd_kafka_queue_destroy (queue);
    rd_kafka_destroy (rk);
}

static void
delivered (rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (m->err && !failed++)
        fprintf (stderr, "not delivered: %s\n", rd_kafka_err2str (m->err));
}

static void
produce (
    rd_kafka_t *rk, const char *topic, int partition, void *data, size_t size)
{
    for (;;) {
        rd_kafka_resp_err_t err = rd_kafka_producev (
            rk, RD_KAFKA_V_TOPIC (topic), RD_KAFKA_V_PARTITION (partition),
            RD_KAFKA_V_VALUE (data, size),
            RD_KAFKA_V_MSGFLAGS (RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (!err)
            return;
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die (topic, rd_kafka_err2str (err));
        rd_kafka_poll (rk, 100);
    }
}

static void
feed (const char *brokers, const char *topic)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    rd_kafka_conf_set (conf, "bootstrap.servers", brokers, why, sizeof (why));
    rd_kafka_conf_set (conf, "enable.idempotence", "true", why, sizeof (why));
    rd_kafka_conf_set (conf, "message.max.bytes", "16000000", why,
                       sizeof (why));
    rd_kafka_conf_set (conf, "queue.buffering.max.kbytes", "65536", why,
                       sizeof (why));
    rd_kafka_conf_set_dr_msg_cb (conf, delivered);
    rd_kafka_t *rk = rd_kafka_new (RD_KAFKA_PRODUCER, conf, why, sizeof (why));
    if (!rk)
        die ("client", why);
    uint32_t head[2];
    long n = 0;
    char *data = malloc (SIZE_MOST);
    while (fread (head, sizeof (head), 1, stdin) == 1) {
        if (head[1] > SIZE_MOST ||
            (head[1] && fread (data, head[1], 1, stdin) != 1))
            die ("stdin", "ends too early, or too large a message");
        produce (rk, topic, (int)head[0], data, head[1]);
        rd_kafka_poll (rk, 0);
        n++;
    }
    free (data);
    while (rd_kafka_flush (rk, 1000) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        continue;
    rd_kafka_destroy (rk);
    if (failed)
        exit (1);
    printf ("%ld\n", n);
}

//  How many partitions a topic has.
static int
count_partitions (rd_kafka_t *rk, const char *topic)
{
    const struct rd_kafka_metadata *all;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new (rk, topic, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata (rk, 0, rkt, &all, WAIT_MS);
    if (err)
        die (topic, rd_kafka_err2str (err));
    int n = all->topic_cnt ? all->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy (all);
    rd_kafka_topic_destroy (rkt);
    return n;
}

static void
ends (const char *brokers, const char *topic)
{
    rd_kafka_t *rk = open_client (RD_KAFKA_PRODUCER, brokers, NULL);
    int n = count_partitions (rk, topic);
    printf ("{");
    for (int i = 0; i < n; i++) {
        int64_t low, high;
        rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets (
            rk, topic, i, &low, &high, WAIT_MS);
        if (err)
            die (topic, rd_kafka_err2str (err));
        printf ("%s\"%d\":[%lld,%lld]", i ? "," : "", i, (long long)low,
                (long long)high);
    }
    printf ("}\n");
    rd_kafka_destroy (rk);
}

static void
committed (const char *brokers, const char *group, const char *topic)
{
    rd_kafka_t *rk = open_client (RD_KAFKA_CONSUMER, brokers, group);
    int n = count_partitions (rk, topic);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new (n);
    for (int i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add (list, topic, i);
    rd_kafka_resp_err_t err = rd_kafka_committed (rk, list, WAIT_MS);
    if (err)
        die (group, rd_kafka_err2str (err));
    printf ("{");
    for (int i = 0; i < n; i++)
        printf ("%s\"%d\":%lld", i ? "," : "", i,
                (long long)(list->elems[i].offset < 0 ? -1
                                                      : list->elems[i].offset));
    printf ("}\n");
    rd_kafka_topic_partition_list_destroy (list);
    rd_kafka_destroy (rk);
}

int
main (int argc, char *argv[])
{
    const char *word = argc > 2 ? argv[1] : "";
    if (!strcmp (word, "brokers"))
        brokers_of (argv[2]);
    else if (!strcmp (word, "create") && argc == 6)
        create (argv[2], argv[3], (int)strtol (argv[4], NULL, 10),
                (int)strtol (argv[5], NULL, 10));
    else if (!strcmp (word, "drop") && argc == 4)
        drop (argv[2], argv[3]);
    else if (!strcmp (word, "feed") && argc == 4)
        feed (argv[2], argv[3]);
    else if (!strcmp (word, "ends") && argc == 4)
        ends (argv[2], argv[3]);
    else if (!strcmp (word, "committed") && argc == 5)
        committed (argv[2], argv[3], argv[4]);
    else if (!strcmp (word, "trim") && argc == 6)
        trim (argv[2], argv[3], (int)strtol (argv[4], NULL, 10),
              strtoll (argv[5], NULL, 10));
    else
        die ("usage", "see the head of kafka_tool_main.c");
    return 0;
}
