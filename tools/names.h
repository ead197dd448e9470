/* names.h -- the words that options take: for their rows, the lists of help, and completion. Those
 * of recipes stand in recipe.h, those of commands in cmd.h. */
#ifndef CTR_TOOLS_NAMES_H
#define CTR_TOOLS_NAMES_H

#include "opt.h"

extern const struct opt_names names_encoders, names_methods, names_optimizers, names_splits;
/* Some of what may be written there. */
extern const struct opt_names names_devices, names_lines;

/* --device, --batch and --threads, for any command's table. */
#define OPT_DEVICE(type)                                                                           \
    OPT_ROW(STR, type, device, .name = "device", .metavar = "D", .names = &names_devices,          \
            .shown = "first GPU, else first device",                                               \
            .help = "number from `clcontrast devices`, cpu, gpu, or part of a name")
#define OPT_BATCH(type, usual)                                                                     \
    OPT_ROW(U64, type, batch, .name = "batch", .letter = 'b', .metavar = "N", .init = usual,       \
            .min = 1, .max = 65536, .help = "images that go through the encoder at a time")
#define OPT_THREADS(type)                                                                          \
    OPT_ROW(U64, type, threads, .name = "threads", .metavar = "N", .init = "0",                    \
            .shown = "all processors", .max = 256, .help = "that decode images")

#endif
