//  weft_packets.c - walks the inputs of peek and lightcurve.

#include <getopt.h>
#include <jansson.h>
#include <unistd.h>

#include "weft_cli.h"
#include "weft_join.h"
#include "weft_packets.h"

#define PATH_ROOM 4200

int
weft_packets_print (json_t *line)
{
    int rc = line ? json_dumpf (line, stdout, JSON_COMPACT) : -1;
    json_decref (line);
    if (rc || putchar ('\n') == EOF)
        return WEFT_EIO;
    return 0;
}

void
weft_packets_refuse (const char *path, const char *why)
{
    json_t *line = json_object ();
    //  File names need not be UTF-8, JSON does.
    json_object_set_new (line, "path", weft_cli_text (path, strlen (path)));
    json_t *reason = json_string (why);
    json_object_set_new (line, "refused",
                         reason ? reason : json_string ("malformed data"));
    (void)!weft_packets_print (line);
}

static void
name_band (json_t *object)
{
    json_t *band = json_object_get (object, "band");
    json_int_t number = json_integer_value (band);
    const char *name = json_is_integer (band) && number >= 0 && number < 255
                           ? weft_band_name ((uint8_t)number)
                           : NULL;
    if (band)
        json_object_set_new (object, "filter",
                             name ? json_string (name) : json_null ());
}

void
weft_packets_name_bands (json_t *object)
{
    size_t i;
    json_t *point;
    name_band (object);
    json_array_foreach (json_object_get (object, "points"), i, point)
    {
        name_band (point);
    }
}

typedef struct {
    weft_decoder_t *decoder;
    weft_packets_each_t *each;
    void *arg;
    bool refused;
} walk_t;

//  A file with several packets names them path#n, counted from 0.
static void
name_item (const weft_message_t *message,
           const weft_decoded_t *item,
           char *out,
           size_t room)
{
    if (item->alone && !message->archived)
        snprintf (out, room, "%s", message->path);
    else
        snprintf (out, room, "%s#%llu", message->path,
                  (unsigned long long)(message->place.item + item->index));
}

//  Path#n is no help to find a packet in an archive: the entry's name is.
static void
name_entry (const weft_message_t *message,
            weft_decoded_t *item,
            char *out,
            size_t room)
{
    if (!item->rc || !message->entry)
        return;
    snprintf (out, room, "%s: %s", message->entry, item->why);
    item->why = out;
}

static int
walk_message (walk_t *self, const weft_message_t *message, uint64_t *items)
{
    char path[PATH_ROOM], why[PATH_ROOM];
    weft_decoded_t item;
    *items = 0;
    if (message->why) {
        item = (weft_decoded_t){
            .rc = WEFT_EIO, .why = message->why, .schema = "", .alone = true
        };
        name_item (message, &item, path, sizeof (path));
        name_entry (message, &item, why, sizeof (why));
        self->refused = true;
        *items = 1;
        return self->each (self->arg, message, &item, path);
    }
    weft_decoder_open (self->decoder, message->data, message->size);
    while (weft_decoder_next (self->decoder, &item)) {
        name_item (message, &item, path, sizeof (path));
        name_entry (message, &item, why, sizeof (why));
        self->refused |= item.rc != 0;
        *items += item.covers;
        int rc = self->each (self->arg, message, &item, path);
        if (rc)
            return rc;
    }
    return 0;
}

//  Paths, or one topic, or standard input.
static weft_input_t *
open_input (char *paths[], int n, char *why)
{
    if (n == 1 && !strcmp (paths[0], "-"))
        return weft_input_stdin (STDIN_FILENO, why);
    for (int i = 0; i < n; i++) {
        if (strncmp (paths[i], WEFT_INPUT_TOPIC, strlen (WEFT_INPUT_TOPIC)))
            continue;
        if (n == 1)
            return weft_input_topic (paths[0], why);
        snprintf (why, WEFT_INPUT_WHY, "a topic is looked at alone");
        return NULL;
    }
    return weft_input_files (paths, (size_t)n, why);
}

static int
walk_paths (walk_t *self, char *paths[], int n, const char *command)
{
    char why[WEFT_INPUT_WHY] = "";
    weft_input_t *input = open_input (paths, n, why);
    if (!input) {
        fprintf (stderr, "%s: %s\n", command, why);
        return 1;
    }
    weft_message_t message;
    bool found = false;
    int rc;
    while ((rc = input->next (input, &message)) == 1) {
        uint64_t items;
        found = true;
        rc = walk_message (self, &message, &items);
        if (rc)
            break;
        input->advance (input, items);
    }
    weft_input_destroy (&input);
    if (rc) {
        fprintf (stderr, "%s: %s\n", command, weft_error_text (rc));
        return 1;
    }
    if (!found)
        fprintf (stderr, "%s: there is nothing in it\n", command);
    return self->refused ? 3 : 0;
}

int
weft_packets (int argc,
              char *argv[],
              const char *help,
              weft_packets_each_t *each,
              void *arg)
{
    static const struct option options[] = {
        { "schemas", required_argument, NULL, 's' },
        { "mappings", required_argument, NULL, 'm' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *schemas = NULL, *folder = NULL;
    int option;
    optind = 1;
    while ((option = getopt_long (argc, argv, "s:m:h", options, NULL)) != -1)
        switch (option) {
        case 's':
            schemas = optarg;
            break;
        case 'm':
            folder = optarg;
            break;
        case 'h':
            fputs (help, stdout);
            return 0;
        default:
            fprintf (stderr, "see %s --help\n", argv[0]);
            return 2;
        }
    if (optind == argc) {
        fputs (help, stderr);
        return 2;
    }
    char why[WEFT_AVRO_WHY] = "";
    walk_t walk = { .decoder = weft_decoder_new (schemas, why),
                    .each = each,
                    .arg = arg };
    weft_mappings_t *mappings = NULL;
    if (walk.decoder && folder) {
        mappings = weft_mappings_new (folder, why);
        if (!mappings)
            weft_decoder_destroy (&walk.decoder);
        else
            weft_decoder_map (walk.decoder, mappings);
    }
    if (!walk.decoder) {
        fprintf (stderr, "%s: %s\n", argv[0], why);
        return 1;
    }
    int code = walk_paths (&walk, argv + optind, argc - optind, argv[0]);
    weft_decoder_destroy (&walk.decoder);
    weft_mappings_destroy (&mappings);
    return code;
}
