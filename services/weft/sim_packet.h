//  sim_packet.h - one alert of one object as the survey would write it down.
//
//  Fills a record from what was measured: the candidate with all its digits,
//  the last 30 days as rounded rows and limits, forced photometry with its
//  gaps and sentinels. The same object and exposure always give the same
//  numbers. One thread at a time.

#ifndef WEFT_SIM_PACKET_H_INCLUDED
#define WEFT_SIM_PACKET_H_INCLUDED

#include "sim_object.h"
#include "sim_record.h"
#include "sim_stamp.h"

//  Holds the record's texts, too.
typedef struct {
    const sim_sky_t *sky;
    uint64_t seed;
    sim_record_t record;
    char image[72];     //  file name of the difference image
    char asteroid[16];  //  name
    char stamp_names[SIM_N_STAMPS][72];
} sim_packet_maker_t;

//  Fills the record for the detection `at` of the object; `reissued` gives
//  the same alert after a second run of the survey's pipeline.
void sim_packet_fill (sim_packet_maker_t *self,
                      const sim_object_t *object,
                      uint32_t at,
                      bool reissued);

//  The scene that the stamps of that detection show.
sim_scene_t sim_packet_scene (const sim_packet_maker_t *self,
                              const sim_object_t *object,
                              uint32_t at);

//  candid of a detection.
int64_t sim_packet_candid (const sim_sky_t *sky,
                           const sim_object_t *object,
                           uint32_t at);

//  Year, month and day of a Julian date (Fliegel and Van Flandern 1968).
void sim_packet_date (double jd, int *year, int *month, int *day);

//  Of sim_history.c: rows before the detection.
void sim_packet_history (sim_packet_maker_t *self,
                         const sim_object_t *object,
                         uint32_t at);
//  Of sim_packet.c: one measurement with all its digits; texts are borrowed
//  from the maker until the next call.
void sim_packet_measure (sim_packet_maker_t *self,
                         const sim_object_t *object,
                         uint32_t at,
                         sim_candidate_t *candidate);

//  The part of it that forced photometry shares: the image, its calibration,
//  the reference source.
void sim_packet_exposure (sim_packet_maker_t *self,
                          const sim_object_t *object,
                          uint32_t at,
                          sim_candidate_t *candidate);

#endif
