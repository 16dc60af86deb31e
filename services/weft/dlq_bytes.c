//  dlq_bytes.c - from the store by reference, or from path#n by counting.

#include "dlq_bytes.h"

#include <sys/stat.h>

#include "weft_decoder.h"
#include "weft_hash.h"
#include "weft_input.h"

enum { PATH_MOST = 1024 };

//  "PATH#7" to PATH and 7; a file whose name ends like that is itself.
static void
split (weft_str_t text, char path[PATH_MOST], uint64_t *item)
{
    struct stat info;
    weft_str_copy (text, path, PATH_MOST);
    *item = 0;
    char *mark = strrchr (path, '#');
    if (!mark || !mark[1] || mark[1 + strspn (mark + 1, "0123456789")] ||
        stat (path, &info) == 0)
        return;
    *mark = '\0';
    *item = strtoull (mark + 1, NULL, 10);
}

//  Items of a message, as ingest counts them.
static uint64_t
count_items (weft_decoder_t *decoder, const weft_message_t *message)
{
    uint64_t items = 0;
    uint32_t n;
    weft_decoder_open (decoder, message->data, message->size);
    while ((n = weft_decoder_skip (decoder)))
        items += n;
    return items;
}

//  The message that holds item `item` of the input.
static int
find_item (weft_input_t *input,
           weft_decoder_t *decoder,
           uint64_t item,
           weft_buf_t *out,
           char *why)
{
    weft_message_t message;
    int rc;
    while ((rc = input->next (input, &message)) == 1) {
        if (message.why) {
            snprintf (why, DLQ_BYTES_WHY, "%s", message.why);
            return WEFT_EIO;
        }
        uint64_t items = count_items (decoder, &message);
        if (item < message.place.item + items) {
            weft_buf_add (out, message.data, message.size);
            return out->error;
        }
        input->advance (input, items);
    }
    snprintf (why, DLQ_BYTES_WHY, "there is no item %llu",
              (unsigned long long)item);
    return rc ? rc : WEFT_ENOENT;
}

static int
from_path (weft_str_t text, weft_buf_t *out, char *why)
{
    char path[PATH_MOST], reason[WEFT_INPUT_WHY] = "";
    char *paths[] = { path };
    uint64_t item;
    struct stat info;
    split (text, path, &item);
    //  It could not be read as a folder; its first file is not what was refused.
    if (stat (path, &info) == 0 && S_ISDIR (info.st_mode)) {
        snprintf (why, DLQ_BYTES_WHY, "it is a folder, no packet");
        return WEFT_EIO;
    }
    weft_input_t *input = weft_input_files (paths, 1, reason);
    weft_decoder_t *decoder = weft_decoder_new (NULL, reason);
    int rc = input && decoder ? find_item (input, decoder, item, out, why)
                              : WEFT_ENOENT;
    if (!input || !decoder)
        snprintf (why, DLQ_BYTES_WHY, "%s", reason);
    weft_decoder_destroy (&decoder);
    weft_input_destroy (&input);
    return rc;
}

//  A file may have been written anew since.
static int
check_sum (const weft_dead_v1_t *dead, const weft_buf_t *out)
{
    uint8_t sha256[32];
    if (!WEFT_HAS (dead_v1, dead, raw_ref) || dead->raw_ref.sha256_8.n != 8)
        return 0;
    weft_sha256 (out->data, out->size, sha256);
    return memcmp (sha256, dead->raw_ref.sha256_8.p, 8) ? WEFT_EMALFORMED : 0;
}

int
dlq_bytes_find (const weft_packet_places_t *places,
                const weft_dead_v1_t *dead,
                weft_buf_t *out,
                char why[DLQ_BYTES_WHY])
{
    char reason[DLQ_BYTES_WHY] = "";
    int rc = WEFT_HAS (dead_v1, dead, raw_ref)
                 ? weft_packet_fetch (places, &dead->raw_ref, out)
                 : WEFT_ENOENT;
    if (!rc)
        return 0;
    int n = snprintf (why, DLQ_BYTES_WHY, "the packet store: %s",
                      rc == WEFT_ENOENT       ? "not there (any more)"
                      : rc == WEFT_EMALFORMED ? "another packet is there"
                                              : weft_error_text (rc));
    weft_buf_clear (out);
    if (!dead->path.n)
        return rc;
    rc = from_path (dead->path, out, reason);
    if (!rc && check_sum (dead, out)) {
        rc = WEFT_EMALFORMED;
        snprintf (reason, sizeof reason, "another packet is there now");
    }
    if (rc)
        snprintf (why + n, DLQ_BYTES_WHY - (size_t)n, "; %.*s: %.300s",
                  (int)WEFT_MIN (dead->path.n, 512u), dead->path.p, reason);
    return rc;
}

bool
dlq_bytes_write (const weft_packet_places_t *places,
                 const weft_dead_v1_t *dead,
                 const char *path)
{
    weft_bin_t bytes = dead->packet.n ? dead->packet : dead->frames;
    char why[DLQ_BYTES_WHY] = "";
    weft_buf_t found;
    weft_buf_init (&found, WEFT_PACKET_MOST);
    int rc = bytes.n ? 0 : dlq_bytes_find (places, dead, &found, why);
    if (!rc && !bytes.n)
        bytes = (weft_bin_t){ found.data, (uint32_t)found.size };
    if (rc)
        fprintf (stderr, "weft dlq: no bytes were kept; %s\n", why);
    FILE *file = rc ? NULL : fopen (path, "wb");
    bool ok = file && fwrite (bytes.p, 1, bytes.n, file) == bytes.n;
    if (file)
        ok = fclose (file) == 0 && ok;
    if (!rc && !ok)
        fprintf (stderr, "weft dlq: %s: cannot be written\n", path);
    weft_buf_fini (&found);
    return ok;
}
