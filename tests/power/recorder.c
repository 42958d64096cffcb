/*
 * A disk that remembers the order of everything that happened to it, for tests of power cuts.
 *
 * A FUSE file system with two files. "disk" is the image given: put a loop device on it, and a real file system on that. Each write to it and
 * each flush (fsync) is noted in the log, in the order in which the kernel asked for them. What is written to "mark" is noted between
 * them: so the log tells what had been flushed when somebody was told that his data is safe.
 *
 *   recorder IMAGE LOG -f -s -o allow_other FOLDER
 *
 * A record of the log: kind ('W' write, 'F' flush, 'M' mark), 8 bytes offset, 4 bytes length (little-endian), the data.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int image;
static off_t image_size;
static FILE *record_log;

static void note(char kind, uint64_t offset, uint32_t length, const char *data)
{
    if (fputc(kind, record_log) == EOF || fwrite(&offset, sizeof offset, 1, record_log) != 1
        || fwrite(&length, sizeof length, 1, record_log) != 1 || fwrite(data, 1, length, record_log) != length) {
        perror("recorder: cannot write the log");
        abort();
    }
}

static int is(const char *path, const char *name) { return strcmp(path, name) == 0; }

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *file)
{
    (void)file;
    memset(st, 0, sizeof *st);
    st->st_nlink = 1;
    if (is(path, "/")) {
        st->st_mode = S_IFDIR | 0755;
        st->st_nlink = 2;
    } else if (is(path, "/disk")) {
        st->st_mode = S_IFREG | 0600;
        st->st_size = image_size;
    } else if (is(path, "/mark")) {
        st->st_mode = S_IFREG | 0666;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int list(const char *path, void *into, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
    (void)path, (void)offset, (void)file, (void)flags;
    fill(into, "disk", NULL, 0, 0);
    fill(into, "mark", NULL, 0, 0);
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *file)
{
    /* A mark must reach the log before its writer goes on, and none may be taken for another's content. */
    file->direct_io = is(path, "/mark");
    return is(path, "/disk") || is(path, "/mark") ? 0 : -ENOENT;
}

static int read_file(const char *path, char *into, size_t size, off_t offset, struct fuse_file_info *file)
{
    (void)file;
    if (!is(path, "/disk"))
        return 0;
    ssize_t count = pread(image, into, size, offset);
    return count < 0 ? -errno : (int)count;
}

static int write_file(const char *path, const char *data, size_t size, off_t offset, struct fuse_file_info *file)
{
    (void)file;
    if (is(path, "/mark")) {
        note('M', 0, size, data);
        return size;
    }
    if (offset + (off_t)size > image_size)
        return -ENOSPC;
    note('W', offset, size, data);
    ssize_t count = pwrite(image, data, size, offset);
    return count < 0 ? -errno : (int)count;
}

static int flush_disk(const char *path, int only_data, struct fuse_file_info *file)
{
    (void)only_data, (void)file;
    if (is(path, "/disk"))
        note('F', 0, 0, "");
    return 0;
}

static int keep_size(const char *path, off_t size, struct fuse_file_info *file)
{
    (void)file;
    return is(path, "/mark") || size == image_size ? 0 : -EPERM;
}

static void end(void *unused)
{
    (void)unused;
    if (fclose(record_log) != 0)
        perror("recorder: cannot close the log");
}

static const struct fuse_operations operations = {
    .getattr = get_attributes, .readdir = list, .open = open_file, .read = read_file,
    .write = write_file, .fsync = flush_disk, .truncate = keep_size, .destroy = end,
};

int main(int count, char *arguments[])
{
    struct stat st;
    if (count < 4) {
        fputs("usage: recorder IMAGE LOG FUSE-OPTIONS FOLDER\n", stderr);
        return 64;
    }
    image = open(arguments[1], O_RDWR | O_CLOEXEC);
    record_log = fopen(arguments[2], "wbe");
    if (image < 0 || fstat(image, &st) != 0 || record_log == NULL) {
        perror("recorder");
        return 74;
    }
    image_size = st.st_size;
    arguments[2] = arguments[0];
    return fuse_main(count - 2, arguments + 2, &operations, NULL);
}
