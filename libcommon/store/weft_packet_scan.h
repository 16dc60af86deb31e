//  weft_packet_scan.h - the records of one segment, one after the other.
//
//  For whoever reads a segment from its start: what a restart finds at its end,
//  a night that is replayed, a check of what is on disk. A segment that is still
//  written ends, for the reader, with its last whole record. One thread.

#ifndef WEFT_PACKET_SCAN_H_INCLUDED
#define WEFT_PACKET_SCAN_H_INCLUDED

#include "weft_packet.h"

typedef struct weft_packet_scan weft_packet_scan_t;

//  Returns new: a scan from the first record of the segment at `path`, or NULL
//  with *rc: WEFT_ENOENT, WEFT_EIO, WEFT_EMALFORMED (no header of a segment),
//  WEFT_ETRUNCATED (shorter than one), WEFT_ENOMEM.
WEFT_NEW weft_packet_scan_t *weft_packet_scan_new (const char *path, int *rc);

void weft_packet_scan_destroy (weft_packet_scan_t **self_p);

//  The next record: 1, and it borrows until the next call; 0 at the end;
//  WEFT_ETRUNCATED, WEFT_EMALFORMED: what follows is no record; WEFT_EIO. The
//  packet's sum is not looked at.
WEFT_CHECK int weft_packet_scan_next (weft_packet_scan_t *self,
                                      weft_packet_record_t *record);

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
