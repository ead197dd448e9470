/* model.h -- what model.c gives to the rest of the library and to the program is all public. */
#ifndef CTR_TRAIN_MODEL_H
#define CTR_TRAIN_MODEL_H

#include "clcontrast/model.h"

#endif
