/* libFuzzer: any text as a line of augmentations. What is accepted lies in its ranges, and its own
 * text means the same; what is refused is shown with a mark below it. */
#include "data/pipeline.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct ctr_augment_params *params)
{
    for (unsigned v = 0; v < params->n; v++)
        for (unsigned i = 0; i < params->pipeline[v].n; i++) {
            const struct ctr_stage *s = &params->pipeline[v].stage[i];
            const struct ctr_value *value = ctr_transforms[s->kind].value;
            if (!(s->p >= 0 && s->p <= 1))
                abort();
            for (unsigned k = 0; k < CTR_STAGE_VALUES && value[k].name; k++)
                if (!(s->value[k] >= (float)value[k].min && s->value[k] <= (float)value[k].max))
                    abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct ctr_augment_params params, again;
    struct ctr_str text = {0};
    char *line = malloc(bytes + 1);
    if (!line)
        return 0;
    memcpy(line, data, bytes);
    line[bytes] = '\0';
    if (ctr_augment_parse(&params, line) == 0) {
        check(&params);
        ctr_augment_text(&text, &params);
        if (ctr_augment_parse(&again, text.s ? text.s : "") != 0 ||
            memcmp(&params, &again, sizeof params) != 0)
            abort();
    } else {
        const char *marks = strrchr(ctr_error_text(), '\n');
        if (!marks || marks[1 + strspn(marks + 1, " ")] != '^')
            abort();
    }
    ctr_str_free(&text);
    free(line);
    return 0;
}
