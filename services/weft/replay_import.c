//  replay_import.c - decodes each packet once, for its night and its time.

#include "replay_import.h"

#include <getopt.h>

#include "weft_hash.h"
#include "weft_log.h"
#include "weft_packet_scan.h"
#include "weft_packet_store.h"
#include "weft_packets.h"
#include "weft_time.h"

#define SEGMENT_BYTES (256u << 20)

typedef struct {
    weft_packet_store_t *store;
    uint64_t kept, refused;
} import_t;

//  The first alert of a packet stands for it.
static int
keep (void *arg,
      const weft_message_t *message,
      const weft_decoded_t *item,
      const char *path)
{
    import_t *self = arg;
    uint8_t sha256[32];
    weft_packet_ref_t ref;
    if (item->rc) {
        self->refused++;
        fprintf (stderr, "weft replay: %s: %s\n", path, item->why);
        return 0;
    }
    if (item->index)
        return 0;
    const weft_alert_v1_t *alert = &item->normal->alert;
    double seconds =
        (weft_time_utc_of_tai (alert->t_obs) - WEFT_MJD_UNIX) * 86400;
    weft_packet_t packet = {
        .data = message->data,
        .size = message->size,
        .topic = weft_str ("import"),
        .position = message->place.offset,
        .night = alert->night,
        .received_us = (int64_t)(seconds * 1e6),
    };
    weft_sha256 (message->data, message->size, sha256);
    memcpy (packet.sha256_8, sha256, 8);
    self->kept++;
    return weft_packet_store_append (self->store, &packet, &ref);
}

//  Another import there would come twice.
static bool
is_used (const char *folder)
{
    weft_packet_file_t *files;
    size_t n;
    if (weft_packet_files (folder, &files, &n))
        return false;
    free (files);
    return n > 0;
}

static int
walk (import_t *self, const char *schemas, int n_paths, char *paths[])
{
    char **argv = calloc ((size_t)n_paths + 4, sizeof (*argv));
    int argc = 0;
    if (!argv)
        return 1;
    argv[argc++] = "replay";
    if (*schemas) {
        argv[argc++] = "--schemas";
        argv[argc++] = (char *)(uintptr_t)schemas;
    }
    memcpy (argv + argc, paths, (size_t)n_paths * sizeof (*paths));
    optind = 1;
    int code = weft_packets (argc + n_paths, argv, "", keep, self);
    free (argv);
    return code;
}

int
replay_import (const char *folder,
               const char *schemas,
               int n_paths,
               char *paths[])
{
    import_t self = { 0 };
    char why[256] = "";
    int rc;
    const weft_packet_store_config_t config = { .folder = folder,
                                                .segment_bytes =
                                                    SEGMENT_BYTES };
    if (is_used (folder)) {
        fprintf (stderr,
                 "weft replay: %s holds packets already; remove it, name "
                 "another --data, or --resume\n",
                 folder);
        return 1;
    }
    self.store = weft_packet_store_new (&config, NULL, &rc, why, sizeof (why));
    if (!self.store) {
        fprintf (stderr, "weft replay: %s\n", why);
        return 1;
    }
    int code = walk (&self, schemas, n_paths, paths);
    weft_packet_store_destroy (&self.store);
    fprintf (stderr, "weft replay: %llu packets, %llu refused and left out\n",
             (unsigned long long)self.kept, (unsigned long long)self.refused);
    return code == 3 ? 0 : code;
}
