//  Segments from any disk: any bytes are read as records, are passed over, or
//  end the scan, and references from anybody are taken or refused.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weft_packet_scan.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

//  A record that is taken must be written again as the same bytes.
static void
write_again (const weft_packet_record_t *record)
{
    uint8_t head[WEFT_PACKET_HEAD], tail[WEFT_PACKET_TOPIC_MOST + 8];
    const uint8_t *packet = record->packet.data;
    size_t rest = weft_packet_head (&record->packet, head, tail);
    weft_packet_record_t back;
    weft_buf_t all;
    weft_buf_init (&all, WEFT_PACKET_MOST + 4096);
    weft_buf_add (&all, head, sizeof head);
    weft_buf_add (&all, packet, record->packet.size);
    weft_buf_add (&all, tail, rest);
    if (all.size != record->bytes ||
        weft_packet_parse (all.data, all.size, 1, 0, &back) ||
        back.packet.position != record->packet.position ||
        back.packet.night != record->packet.night ||
        back.packet.topic.n != record->packet.topic.n)
        abort ();
    weft_buf_fini (&all);
}

//  The next record, if need be behind what is none: which is there, then.
static bool
read_on (weft_packet_scan_t *self)
{
    weft_packet_record_t record;
    int rc = weft_packet_scan_next (self, &record);
    if (rc < 0) {
        uint64_t at = weft_packet_scan_at (self);
        if (weft_packet_scan_resume (self) != 1) {
            if (weft_packet_scan_at (self) != at)
                abort ();
            return false;
        }
        rc = weft_packet_scan_next (self, &record);
        if (rc != 1)
            abort ();
        (void)!weft_packet_check (&record);
    }
    if (rc == 1)
        write_again (&record);
    return rc == 1;
}

static void
scan (const uint8_t *data, size_t size)
{
    char path[64];
    int rc;
    int fd = memfd_create ("segment", 0);
    if (fd < 0 || write (fd, data, size) != (ssize_t)size)
        abort ();
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    weft_packet_scan_t *self = weft_packet_scan_new (path, &rc);
    while (self && read_on (self))
        continue;
    if (self && weft_packet_scan_at (self) > size)
        abort ();
    weft_packet_scan_destroy (&self);
    close (fd);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char text[128], again[WEFT_PACKET_TEXT], more[WEFT_PACKET_TEXT];
    weft_packet_ref_t ref, back;
    snprintf (text, sizeof text, "%.*s", (int)WEFT_MIN (size, (size_t)100),
              (const char *)data);
    if (weft_packet_of_text (text, &ref) == 0) {
        weft_packet_text (&ref, again);
        if (weft_packet_of_text (again, &back))
            abort ();
        weft_packet_text (&back, more);
        if (strcmp (again, more) != 0)
            abort ();
    }
    //  The header's sum is right, so that what follows is reached.
    uint8_t *copy = malloc (size + WEFT_PACKET_HEAD);
    if (!copy)
        return 0;
    weft_packet_segment_head (1 << 20 | 1, 7, 0, copy);
    memcpy (copy + WEFT_PACKET_HEAD, data, size);
    scan (copy, size + WEFT_PACKET_HEAD);
    scan (data, size);
    free (copy);
    return 0;
}
