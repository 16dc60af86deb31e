//  avro_c_main - avro-c on prepared packets: schema cached, value used again.
//
//  usage: avro_c_main OUT ROUNDS. Prints {"cached": us}, the median per packet.
//  OUT is what tests/bench/peers/prepare.py wrote.

#include <avro.h>

#include "weft_time.h"

enum { SCHEMAS_MOST = 64, PACKETS_MOST = 4096 };

typedef struct {
    avro_value_iface_t *iface;
    avro_value_t value;
} reader_t;

typedef struct {
    const char *data;
    size_t size;
    reader_t *reader;
} packet_t;

static reader_t readers[SCHEMAS_MOST];
static packet_t packets[PACKETS_MOST];
static size_t n_packets;

static char *
read_file (const char *folder, const char *name, size_t *size)
{
    char path[4096];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "rb");
    char *data = NULL;
    *size = 0;
    if (file && !fseek (file, 0, SEEK_END)) {
        long n = ftell (file);
        rewind (file);
        data = n >= 0 ? malloc ((size_t)n + 1) : NULL;
        if (data)
            *size = fread (data, 1, (size_t)n, file);
    }
    if (file)
        fclose (file);
    return data;
}

static reader_t *
find_reader (const char *folder, unsigned number)
{
    if (number >= SCHEMAS_MOST)
        return NULL;
    reader_t *reader = &readers[number];
    if (reader->iface)
        return reader;
    char name[32];
    size_t size;
    avro_schema_t schema;
    snprintf (name, sizeof name, "%03u.avsc", number);
    char *text = read_file (folder, name, &size);
    if (!text || avro_schema_from_json_length (text, size, &schema))
        return NULL;
    reader->iface = avro_generic_class_from_schema (schema);
    if (avro_generic_value_new (reader->iface, &reader->value))
        return NULL;
    free (text);
    return reader;
}

static bool
read_packets (const char *folder, const char *data)
{
    char path[4096];
    snprintf (path, sizeof path, "%s/index.txt", folder);
    FILE *index = fopen (path, "r");
    unsigned number;
    size_t offset, size;
    while (index && n_packets < PACKETS_MOST &&
           fscanf (index, "%u %zu %zu %*[^\n]", &number, &offset, &size) == 3) {
        reader_t *reader = find_reader (folder, number);
        if (reader)
            packets[n_packets++] = (packet_t){ data + offset, size, reader };
    }
    if (index)
        fclose (index);
    return n_packets > 0;
}

static int
ascending (const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double
median_us (int rounds)
{
    size_t n = 0;
    double *times = calloc (n_packets * (size_t)rounds + 1, sizeof *times);
    for (int round = 0; times && round <= rounds; round++)
        for (size_t i = 0; i < n_packets; i++) {
            packet_t *packet = &packets[i];
            int64_t start = weft_time_ns ();
            avro_reader_t reader =
                avro_reader_memory (packet->data, (int64_t)packet->size);
            avro_value_reset (&packet->reader->value);
            int rc = avro_value_read (reader, &packet->reader->value);
            avro_reader_free (reader);
            if (rc) {
                fprintf (stderr, "avro_c_main: %s\n", avro_strerror ());
                free (times);
                return 0;
            }
            if (round > 0)
                times[n++] = (double)(weft_time_ns () - start) / 1e3;
        }
    if (!n) {
        free (times);
        return 0;
    }
    qsort (times, n, sizeof *times, ascending);
    double median = times[n / 2];
    free (times);
    return median;
}

int
main (int argc, char *argv[])
{
    size_t size;
    int rounds = argc == 3 ? (int)strtol (argv[2], NULL, 10) : 0;
    if (rounds < 1) {
        fprintf (stderr, "usage: avro_c_main OUT ROUNDS\n");
        return 2;
    }
    char *data = read_file (argv[1], "packets.bin", &size);
    if (!data || !read_packets (argv[1], data)) {
        fprintf (stderr, "avro_c_main: no packets in %s\n", argv[1]);
        return 1;
    }
    double us = median_us (rounds);
    free (data);
    if (!(us > 0))
        return 1;
    printf ("{\"cached\": %.3f}\n", us);
    return 0;
}
