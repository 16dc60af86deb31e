//  packets_main - what the packet store costs.
//
//      packets_main FOLDER
//
//  Appends packets of 66 kB (a ZTF packet with stamps) and 14 kB (a simulated
//  one) to a store in FOLDER and reads them again. One JSON object a line: name,
//  value, unit, peer, peer_value. Times are CPU time of this process, kernel
//  included, per packet; the sum over the packet, which ingest makes anyhow, is
//  a row of its own.

#include <time.h>
#include <unistd.h>

#include "../unit/remove_tree.h"
#include "weft_hash.h"
#include "weft_log.h"
#include "weft_packet_read.h"
#include "weft_packet_store.h"

enum { PACKETS = 4096, LARGE = 66000, SMALL = 14000 };

static uint8_t bytes[LARGE];
static weft_packet_ref_t refs[PACKETS];

static void
must (int rc, const char *what)
{
    if (!rc)
        return;
    fprintf (stderr, "packets_main: %s: %s\n", what, weft_error_text (rc));
    exit (1);
}

static double
cpu_us (void)
{
    struct timespec t;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static void
say (const char *name, size_t size, double us, double budget)
{
    printf ("{\"name\": \"packet store: %s, %zu kB\", \"value\": %.2f, "
            "\"unit\": \"us\"",
            name, size / 1000, us);
    if (budget > 0)
        printf (", \"peer\": \"budget\", \"peer_value\": %.0f", budget);
    printf ("}\n");
    fflush (stdout);
}

static void
measure (const char *folder, size_t size)
{
    const weft_packet_store_config_t config = { .folder = folder,
                                                .segment_bytes = 256u << 20,
                                                .keep_bytes = 1u << 30 };
    char why[256] = "";
    int rc;
    uint8_t sum[32];
    weft_packet_t packet = { .data = bytes,
                             .size = size,
                             .topic = weft_str ("ztf_20250309_programid1") };
    double start = cpu_us ();
    for (int i = 0; i < PACKETS; i++)
        weft_sha256 (bytes, size, sum);
    say ("SHA-256", size, (cpu_us () - start) / PACKETS, 0);
    memcpy (packet.sha256_8, sum, 8);
    weft_packet_store_t *store =
        weft_packet_store_new (&config, NULL, &rc, why, sizeof why);
    must (rc, why);
    start = cpu_us ();
    for (int i = 0; i < PACKETS; i++) {
        packet.position = i;
        must (weft_packet_store_append (store, &packet, &refs[i]), "append");
    }
    say ("append", size, (cpu_us () - start) / PACKETS, 20);
    weft_packet_store_destroy (&store);
    weft_buf_t out;
    weft_buf_init (&out, WEFT_PACKET_MOST);
    start = cpu_us ();
    for (int i = 0; i < PACKETS; i++)
        must (weft_packet_read (folder, &refs[i], &out), "read");
    say ("read and check", size, (cpu_us () - start) / PACKETS, 0);
    weft_buf_fini (&out);
}

int
main (int argc, char *argv[])
{
    char folder[4096];
    snprintf (folder, sizeof folder, "%s/packets-bench",
              argc > 1 ? argv[1] : "/tmp");
    weft_log_init ("packets", WEFT_ERROR);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    measure (folder, LARGE);
    measure (folder, SMALL);
    return remove_tree (folder) ? 1 : 0;
}
