//  sim_lsst.h - the same alerts in LSST's shape: one Confluent-framed datum.
//
//  The sky, the classes and the measurements are those of the ZTF-shaped packets
//  (sim_packet.h); names, units and habits are LSST's, schema 11.0: fluxes in nJy,
//  MJD in TAI, history of all earlier detections with all their digits, forced
//  photometry of every exposure once there was a detection. One thread at a time.

#ifndef WEFT_SIM_LSST_H_INCLUDED
#define WEFT_SIM_LSST_H_INCLUDED

#include "sim_packet.h"

//  The survey's id of a schema is 100 x major + minor.
enum { SIM_LSST_SCHEMA_ID = 1100, SIM_LSST_HEADER = 5 };
#define SIM_LSST_SCHEMA "lsst.v11_0.alert"

//  Most rows of each history, the newest; 400 days of our cadence have fewer.
#define SIM_LSST_ROWS_MOST 512

typedef struct sim_lsst sim_lsst_t;

//  Returns new: takes measurements from `maker`, borrowed for life. NULL without
//  memory.
WEFT_NEW sim_lsst_t *sim_lsst_new (sim_packet_maker_t *maker);
void sim_lsst_destroy (sim_lsst_t **self_p);

//  Writes the schema as JSON, all its types inside.
void sim_lsst_schema (weft_buf_t *out);

//  Appends the packet of the detection `at`; `reissued` gives the same source
//  after a second run of the survey's pipeline. `stamps`: as in a record.
void sim_lsst_encode (sim_lsst_t *self,
                      const sim_object_t *object,
                      uint32_t at,
                      bool reissued,
                      const sim_stamp_t stamps[SIM_N_STAMPS],
                      weft_buf_t *out);

//  diaSourceId of a detection and diaObjectId of an object.
int64_t sim_lsst_source_id (const sim_sky_t *sky,
                            const sim_object_t *object,
                            uint32_t at);
int64_t sim_lsst_object_id (const sim_object_t *object);

#endif
