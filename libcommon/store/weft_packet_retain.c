//  weft_packet_retain.c - which segments go.
//
//  By the files alone: so it does not matter which replica does it, and those
//  of a store that is no more go, too. The newest segment of a store may be open
//  for writing; by age it goes all the same, as a writer begins another one
//  after an hour.

#include <unistd.h>

#include "weft_log.h"
#include "weft_packet_scan.h"
#include "weft_packet_store.h"

#define DAY_US 86400e6

static bool
is_newest (const weft_packet_file_t *files, size_t n, size_t i)
{
    for (size_t k = i + 1; k < n; k++)
        if (files[k].segment >> 20 == files[i].segment >> 20)
            return false;
    return true;
}

static bool
drop (const char *folder, const weft_packet_file_t *file)
{
    char path[WEFT_PACKET_PATH];
    weft_packet_path (folder, file->segment, path);
    if (unlink (path))
        return false;
    weft_log (WEFT_INFO, "STORE-SEGMENT-GONE", "%s, %llu bytes", path,
              (unsigned long long)file->bytes);
    return true;
}

size_t
weft_packet_retain (const char *folder,
                    double keep_days,
                    uint64_t keep_bytes,
                    int64_t now_us)
{
    weft_packet_file_t *files;
    size_t n, gone = 0;
    uint64_t bytes = 0;
    if (weft_packet_files (folder, &files, &n))
        return 0;
    for (size_t i = 0; i < n; i++)
        bytes += files[i].bytes;
    for (size_t i = 0; i < n; i++) {
        bool old = keep_days > 0 &&
                   (double)(now_us - files[i].changed_us) > keep_days * DAY_US;
        bool over = keep_bytes && bytes > keep_bytes;
        if (!old && !over)
            break;
        if (!old && is_newest (files, n, i))
            continue;
        if (drop (folder, &files[i])) {
            bytes -= files[i].bytes;
            gone++;
        }
    }
    free (files);
    return gone;
}
