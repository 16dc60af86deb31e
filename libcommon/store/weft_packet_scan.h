//  weft_packet_scan.h - the records of one segment, one after the other.
//
//  For whoever reads a segment from its start: what a restart finds at its end,
//  a night that is replayed, a check of what is on disk. A segment that is still
//  written ends, for the reader, with its last whole record. One that a disk has
//  damaged has whole records behind what is none: records begin at multiples of
//  8 bytes and have sums, so that the next one is found again. One thread.

#ifndef WEFT_PACKET_SCAN_H_INCLUDED
#define WEFT_PACKET_SCAN_H_INCLUDED

#include "weft_packet.h"

typedef struct weft_packet_scan weft_packet_scan_t;

//  Returns new: a scan from the first record of the segment at `path`, or NULL
//  with *rc: WEFT_ENOENT, WEFT_EIO, WEFT_EMALFORMED (no header of a segment),
//  WEFT_ETRUNCATED (shorter than one), WEFT_ENOMEM. Where the header is damaged
//  and the file has a segment's name, that says its number, and the scan begins
//  with what is no record.
WEFT_NEW weft_packet_scan_t *weft_packet_scan_new (const char *path, int *rc);

void weft_packet_scan_destroy (weft_packet_scan_t **self_p);

//  The next record: 1, and it borrows until the next call; 0 at the end;
//  WEFT_ETRUNCATED, WEFT_EMALFORMED: what follows is no record; WEFT_EIO. The
//  packet's sum is not looked at.
WEFT_CHECK int weft_packet_scan_next (weft_packet_scan_t *self,
                                      weft_packet_record_t *record);

//  After what is no record, or after one whose packet is not what its header
//  names: goes on to the next that is whole, its packet, too. 1: the next call
//  of _next gives it; 0: none follows, and the scan is where it was; WEFT_EIO;
//  WEFT_ENOMEM. One pass over the rest of the segment at most. In doubt it is 1:
//  where more bytes than two segments have were hashed in vain, packets made so,
//  headers are believed.
WEFT_CHECK int weft_packet_scan_resume (weft_packet_scan_t *self);

//  Where the records that were read end, in bytes from the segment's start.
uint64_t weft_packet_scan_at (const weft_packet_scan_t *self);

//  As the header says.
uint32_t weft_packet_scan_segment (const weft_packet_scan_t *self);
uint64_t weft_packet_scan_owner (const weft_packet_scan_t *self);

//  The segments of a folder, by rising time of their last change.
typedef struct {
    uint32_t segment;
    uint64_t bytes;
    int64_t changed_us;  //  since 1970
} weft_packet_file_t;

//  Returns new in *files: `n` of them, freed by the caller. WEFT_ENOENT if there
//  is no such folder.
WEFT_CHECK int
weft_packet_files (const char *folder, weft_packet_file_t **files, size_t *n);

#endif
