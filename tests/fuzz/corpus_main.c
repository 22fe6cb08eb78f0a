/* Runs a fuzzer over the files that are named, or that lie in the folders that are named: what `make test` does with
 * every fuzzer, under any compiler. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

static unsigned files;

static void run(const char *path)
{
    struct stat st;
    MUST(stat(path, &st) == 0);
    if (S_ISDIR(st.st_mode)) {
        DIR *dir = opendir(path);
        MUST(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
            char inner[4096];
            int n = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
            if (entry->d_name[0] != '.' && n > 0 && (size_t)n < sizeof(inner))
                run(inner);
        }
        closedir(dir);
        return;
    }
    FILE *file = fopen(path, "rb");
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    MUST(file && data && fread(data, 1, size, file) == size);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    files++;
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        run(arguments[i]);
    printf("%u inputs\n", files);
    return files > 0 ? 0 : 1;
}
