//  kafka_mock_main.c - librdkafka's own cluster, for tests without a real one.
//
//  Says its address, then serves standard input until that ends; a word is said
//  when a line is done:
//    topic NAME PARTITIONS
//    put NAME PARTITION HEX

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 30000, LINE_MOST = 1 << 16 };

static int
put (rd_kafka_t *rk, const char *topic, int partition, const char *hex)
{
    static unsigned char bytes[LINE_MOST / 2];
    size_t n = 0;
    unsigned byte;
    for (; sscanf (hex, "%2x", &byte) == 1; hex += 2)
        bytes[n++] = (unsigned char)byte;
    int rc = rd_kafka_producev (
        rk, RD_KAFKA_V_TOPIC (topic), RD_KAFKA_V_PARTITION (partition),
        RD_KAFKA_V_VALUE (bytes, n), RD_KAFKA_V_MSGFLAGS (RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_END);
    return rc ? rc : (int)rd_kafka_flush (rk, WAIT_MS);
}

//  librdkafka makes threads by C11's thrd_create, which the thread sanitizer of
//  this compiler does not see.
#ifdef __SANITIZE_THREAD__
#define SKIPPED 1
#else
#define SKIPPED 0
#endif

int
main (void)
{
    if (SKIPPED)
        return puts ("SKIP: librdkafka cannot run under ThreadSanitizer") < 0;
    static char line[LINE_MOST], hex[LINE_MOST];
    char why[256], name[256];
    int number;
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    rd_kafka_conf_set (conf, "test.mock.num.brokers", "1", why, sizeof (why));
    rd_kafka_t *rk = rd_kafka_new (RD_KAFKA_PRODUCER, conf, why, sizeof (why));
    rd_kafka_mock_cluster_t *cluster =
        rk ? rd_kafka_handle_mock_cluster (rk) : NULL;
    if (!cluster)
        return 1;
    printf ("%s\n", rd_kafka_mock_cluster_bootstraps (cluster));
    fflush (stdout);
    while (fgets (line, sizeof (line), stdin)) {
        int rc = -1;
        if (sscanf (line, "topic %255s %d", name, &number) == 2)
            rc = (int)rd_kafka_mock_topic_create (cluster, name, number, 1);
        else if (sscanf (line, "put %255s %d %65535s", name, &number, hex) == 3)
            rc = put (rk, name, number, hex);
        puts (rc ? "failed" : "done");
        fflush (stdout);
    }
    rd_kafka_destroy (rk);
    return 0;
}
