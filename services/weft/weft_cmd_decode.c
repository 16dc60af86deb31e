//  weft decode - times the decoder alone on a user's packets.
//
//  Packets are read into memory first, so that neither disk nor network is in
//  the numbers; the first pass compiles the schemas and is not counted. Every
//  pass takes the packets in turn, so that each meets cold caches, as it would
//  in a stream.

#include <getopt.h>
#include <jansson.h>

#include "commands.h"
#include "weft_decoder.h"
#include "weft_input.h"
#include "weft_time.h"

#define BYTES_MOST (UINT64_C (2) << 30)  //  of packets held in memory
#define SAMPLES_MOST (64u << 20)         //  packets x passes
#define REPEAT_MOST 100000

static const char help[] =
    "usage: weft decode [--repeat N] [--schemas DIR] [--mappings DIR] "
    "[--json]\n"
    "                   PATH...\n\n"
    "Decodes and normalises every packet N times from memory, on one core,\n"
    "and prints microseconds per packet: the median, the 95th percentile and\n"
    "the mean. Nothing is joined, stored or sent. PATH is as for weft peek.\n"
    "A packet of which anything is refused is named and not counted.\n\n"
    "  --repeat N      passes over all packets, 1 to 100000 (default: 9);\n"
    "                  one more before them compiles the schemas\n"
    "  --schemas DIR   schemas of Confluent-framed packets\n"
    "  --mappings DIR  mapping files (*.map) of surveys that are not built "
    "in\n"
    "  --json          one JSON object\n\n"
    "Exit: 0 all decoded, 1 failed, 2 usage, 3 some were refused.\n";

typedef struct {
    uint8_t *data;
    size_t size;
    uint32_t alerts;  //  in it
} packet_t;

typedef struct {
    long repeat;
    const char *schemas, *folder;  //  of mappings; NULL: not given
    bool json;
    weft_decoder_t *decoder;
    weft_mappings_t *mappings;
    packet_t *packets;
    size_t n, room;
    uint64_t bytes, alerts, refused;
    float *us;  //  a sample per packet and pass
    size_t n_us;
} decode_t;

static int
keep_packet (decode_t *self, const weft_message_t *message, uint32_t alerts)
{
    if (self->bytes + message->size > BYTES_MOST)
        return WEFT_ETOOBIG;
    if (self->n == self->room) {
        size_t room = self->room ? 2 * self->room : 1024;
        packet_t *moved = realloc (self->packets, room * sizeof (*moved));
        if (!moved)
            return WEFT_ENOMEM;
        self->packets = moved;
        self->room = room;
    }
    uint8_t *data = malloc (message->size ? message->size : 1);
    if (!data)
        return WEFT_ENOMEM;
    if (message->size)
        memcpy (data, message->data, message->size);
    packet_t *packet = &self->packets[self->n++];
    packet->data = data;
    packet->size = message->size;
    packet->alerts = alerts;
    self->bytes += message->size;
    self->alerts += alerts;
    return 0;
}

//  The first pass: what is refused is named, the rest kept.
static int
read_message (decode_t *self, const weft_message_t *message, uint32_t *items)
{
    weft_decoded_t item;
    const char *why = message->why;
    char reason[WEFT_AVRO_WHY];
    *items = why ? 1 : 0;
    if (!why)
        weft_decoder_open (self->decoder, message->data, message->size);
    while (!message->why && weft_decoder_next (self->decoder, &item)) {
        ++*items;
        if (!item.rc || why)
            continue;
        snprintf (reason, sizeof (reason), "%s", item.why);
        why = reason;
    }
    if (!why)
        return keep_packet (self, message, *items);
    self->refused++;
    fprintf (stderr, "%s%s%s: %s\n", message->path, message->entry ? ": " : "",
             message->entry ? message->entry : "", why);
    return 0;
}

static int
read_packets (decode_t *self, char *paths[], int n)
{
    char why[WEFT_INPUT_WHY] = "";
    weft_input_t *input = weft_input_files (paths, (size_t)n, why);
    if (!input) {
        fprintf (stderr, "weft decode: %s\n", why);
        return 1;
    }
    weft_message_t message;
    int rc;
    while ((rc = input->next (input, &message)) == 1) {
        uint32_t items;
        rc = read_message (self, &message, &items);
        if (rc)
            break;
        input->advance (input, items);
    }
    weft_input_destroy (&input);
    if (rc == WEFT_ETOOBIG)
        fprintf (stderr, "weft decode: the packets are over 2 GiB; give it "
                         "fewer of them\n");
    else if (rc)
        fprintf (stderr, "weft decode: %s\n", weft_error_text (rc));
    return rc ? 1 : 0;
}

static int
time_packets (decode_t *self)
{
    size_t samples = self->n * (size_t)self->repeat;
    if (samples > SAMPLES_MOST) {
        fprintf (stderr,
                 "weft decode: %zu packets x %ld passes are over %u; "
                 "lower --repeat\n",
                 self->n, self->repeat, SAMPLES_MOST);
        return 1;
    }
    self->us = malloc ((samples + 1) * sizeof (*self->us));
    if (!self->us)
        return 1;
    for (long pass = 0; pass < self->repeat; pass++)
        for (size_t i = 0; i < self->n; i++) {
            weft_decoded_t item;
            int64_t start = weft_time_ns ();
            weft_decoder_open (self->decoder, self->packets[i].data,
                               self->packets[i].size);
            while (weft_decoder_next (self->decoder, &item))
                continue;
            self->us[self->n_us++] = (float)(weft_time_ns () - start) / 1e3f;
        }
    return 0;
}

static int
ascending (const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

//  The quantile of the sorted samples, 0 if there are none.
static double
quantile (const decode_t *self, double p)
{
    if (!self->n_us)
        return 0;
    size_t at = (size_t)(p * (double)(self->n_us - 1) + 0.5);
    return (double)self->us[at];
}

static double
mean (const decode_t *self)
{
    double sum = 0;
    for (size_t i = 0; i < self->n_us; i++)
        sum += (double)self->us[i];
    return self->n_us ? sum / (double)self->n_us : 0;
}

static int
print_json (const decode_t *self)
{
    json_t *line = json_pack (
        "{s:I, s:I, s:I, s:I, s:i, s:{s:f, s:f, s:f, s:f}}", "packets",
        (json_int_t)self->n, "alerts", (json_int_t)self->alerts, "refused",
        (json_int_t)self->refused, "bytes", (json_int_t)self->bytes, "repeat",
        (int)self->repeat, "us_per_packet", "median", quantile (self, 0.5),
        "p95", quantile (self, 0.95), "min", quantile (self, 0), "mean",
        mean (self));
    int rc = line ? json_dumpf (line, stdout, JSON_REAL_PRECISION (6)) : -1;
    json_decref (line);
    return rc || putchar ('\n') == EOF;
}

static int
print (decode_t *self)
{
    qsort (self->us, self->n_us, sizeof (*self->us), ascending);
    if (self->json)
        return print_json (self);
    printf ("%zu packets (%.1f MB, %llu alerts), %ld passes, %llu refused\n",
            self->n, (double)self->bytes / 1e6,
            (unsigned long long)self->alerts, self->repeat,
            (unsigned long long)self->refused);
    printf ("us per packet: median %.2f, p95 %.2f, mean %.2f\n",
            quantile (self, 0.5), quantile (self, 0.95), mean (self));
    return 0;
}

//  -1 to go on, else an exit code.
static int
read_options (decode_t *self, int argc, char *argv[])
{
    static const struct option options[] = {
        { "repeat", required_argument, NULL, 'n' },
        { "schemas", required_argument, NULL, 's' },
        { "mappings", required_argument, NULL, 'm' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    char *end = NULL;
    int option;
    optind = 1;
    while ((option = getopt_long (argc, argv, "n:s:m:jh", options, NULL)) != -1)
        switch (option) {
        case 'n':
            self->repeat = strtol (optarg, &end, 10);
            if (*end || end == optarg || self->repeat < 1 ||
                self->repeat > REPEAT_MOST) {
                fprintf (stderr, "%s: --repeat is '%s', expected 1 to %d\n",
                         argv[0], optarg, REPEAT_MOST);
                return 2;
            }
            break;
        case 's':
            self->schemas = optarg;
            break;
        case 'm':
            self->folder = optarg;
            break;
        case 'j':
            self->json = true;
            break;
        case 'h':
            fputs (help, stdout);
            return 0;
        default:
            fprintf (stderr, "see %s --help\n", argv[0]);
            return 2;
        }
    if (optind < argc)
        return -1;
    fputs (help, stderr);
    return 2;
}

static void
fini (decode_t *self)
{
    for (size_t i = 0; i < self->n; i++)
        free (self->packets[i].data);
    free (self->packets);
    free (self->us);
    weft_decoder_destroy (&self->decoder);
    weft_mappings_destroy (&self->mappings);
}

static int
open_decoder (decode_t *self, char why[WEFT_AVRO_WHY])
{
    self->decoder = weft_decoder_new (self->schemas, why);
    if (!self->decoder || !self->folder)
        return self->decoder ? 0 : 1;
    self->mappings = weft_mappings_new (self->folder, why);
    if (!self->mappings)
        return 1;
    weft_decoder_map (self->decoder, self->mappings);
    return 0;
}

int
weft_cmd_decode (int argc, char *argv[])
{
    decode_t self = { .repeat = 9 };
    char why[WEFT_AVRO_WHY] = "";
    int code = read_options (&self, argc, argv);
    if (code >= 0)
        return code;
    if (open_decoder (&self, why)) {
        fprintf (stderr, "%s: %s\n", argv[0], why);
        fini (&self);
        return 1;
    }
    code = read_packets (&self, argv + optind, argc - optind);
    bool none = !code && !self.n;
    if (none)
        fprintf (stderr, "%s: there is no packet to time\n", argv[0]);
    if (!code)
        code = time_packets (&self);
    if (!code && (!none || self.json))
        code = print (&self);
    if (!code && self.refused)
        code = 3;
    fini (&self);
    return code;
}
