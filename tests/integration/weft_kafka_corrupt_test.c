//  weft_kafka_corrupt_test.c - batches that came to harm in a broker's log.

#include "kafka_mock.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 3, LEAST = 61, BYTES = 40 };  //  messages; of a batch's head

typedef struct {
    uint8_t bytes[1024];
    size_t n;
} frame_t;

//  The lowest `size` bytes of a number, as Kafka writes them.
static void
put (frame_t *frame, size_t size, int64_t number)
{
    while (size--)
        frame->bytes[frame->n++] = (uint8_t)((uint64_t)number >> (8 * size));
}

static void
put_text (frame_t *frame, const char *text)
{
    put (frame, 2, (int64_t)strlen (text));
    memcpy (frame->bytes + frame->n, text, strlen (text));
    frame->n += strlen (text);
}

//  A batch whose check sum is none of its bytes.
static void
put_batch (frame_t *frame)
{
    put (frame, 4, LEAST + BYTES);       //  of records
    put (frame, 8, 0);                   //  base offset: the broker sets it
    put (frame, 4, LEAST + BYTES - 12);  //
    put (frame, 4, -1);                  //  epoch of the leader
    put (frame, 1, 2);                   //  version
    put (frame, 4, 0x12345678);          //  check sum
    put (frame, 2, 0);                   //  attributes
    put (frame, 4, BATCH - 1);           //  last offset
    put (frame, 8, 1700000000000);       //
    put (frame, 8, 1700000000000);       //
    put (frame, 8, -1);                  //  of a producer
    put (frame, 2, -1);                  //
    put (frame, 4, -1);                  //
    put (frame, 4, BATCH);
    memset (frame->bytes + frame->n, 'x', BYTES);
    frame->n += BYTES;
}

//  A request to produce, version 7, all by hand.
static void
fill_request (frame_t *frame, const char *topic, int32_t partition)
{
    put (frame, 4, 0);  //  its size, at last
    put (frame, 2, 0);
    put (frame, 2, 7);
    put (frame, 4, 1);
    put_text (frame, "harm");
    put (frame, 2, -1);  //  no transaction
    put (frame, 2, -1);
    put (frame, 4, 10000);
    put (frame, 4, 1);
    put_text (frame, topic);
    put (frame, 4, 1);
    put (frame, 4, partition);
    put_batch (frame);
    size_t n = frame->n;
    frame->n = 0;
    put (frame, 4, (int64_t)n - 4);
    frame->n = n;
}

static void
produce_harmed (const rig_t *rig, const char *topic, int32_t partition)
{
    frame_t frame = { .n = 0 };
    uint8_t answer[256];
    const char *port = strrchr (rig->brokers, ':');
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    at.sin_port = htons ((uint16_t)strtoul (port + 1, NULL, 10));
    fill_request (&frame, topic, partition);
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (connect (fd, (struct sockaddr *)&at, sizeof (at)), 0);
    assert_int_equal (send (fd, frame.bytes, frame.n, 0), (ssize_t)frame.n);
    assert_true (recv (fd, answer, sizeof (answer), 0) > 0);
    close (fd);
}

//  What cannot be read is read once more, with all that is not settled; then its
//  partition stands still before it, and says so. The other one is read on.
static void
a_harmed_batch_is_said (void **state)
{
    enum { HARM = 10, MORE = 10 };
    const rig_t *rig = *state;
    weft_message_t message;
    char why[600] = "";
    int read[PARTITIONS] = { 0 }, begun = 0;
    assert_int_equal (
        rd_kafka_mock_topic_create (rig->cluster, "harm", PARTITIONS, 1), 0);
    produce (rig, "harm", 0, HARM);
    produce_harmed (rig, "harm", 0);
    produce (rig, "harm", HARM, HARM + MORE);
    weft_kafka_t *kafka = open_member (rig, "harm");
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         read[0] < HARM || read[1] < HARM + MORE || begun < 2 ||
         weft_kafka_ready (kafka, why, sizeof (why));) {
        assert_true (weft_time_ms () < until);
        if (!next (kafka, &message, 50))
            continue;
        (void)take (kafka, &message);
        int *count = &read[message.partition];
        if (message.at.offset == 0)
            *count = 0;
        assert_int_equal (message.at.offset, (*count)++);
        begun += message.partition == 0 && message.at.offset == 0;
    }
    assert_int_equal (read[0], HARM);
    assert_non_null (strstr (why, "harm/0 cannot be read at offset 10"));
    weft_kafka_destroy (&kafka);
}

int
main (void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test (
        a_harmed_batch_is_said) };
    return RUN_WITH_KAFKA (tests, open_rig, close_rig);
}
