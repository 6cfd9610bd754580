/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Extents of many pages of one eCryptfs file, submitted to the crypto API together (batch.c), by
 * read-ahead (batch_read.c) and by writes and write-back (batch_write.c). No other file of the module
 * looks inside.
 */
#ifndef ECRYPTFS_BATCH_H
#define ECRYPTFS_BATCH_H

#include <linux/bvec.h>
#include <linux/refcount.h>
#include <linux/version.h>
#include <linux/wait.h>

/* Pages that go to or come from the lower file in one call, while the extents after them are under way. */
#define ECRYPTFS_BATCH_PIECE 64

/* A slot's state while its request is under way; afterwards it is the request's result. */
#define ECRYPTFS_BATCH_PENDING 1

/* One extent, which is one page. */
struct ecryptfs_batch_slot {
	struct ecryptfs_batch *batch;
	struct folio *reading; /* ended when the request is */
	struct folio *writing; /* locked, with a reference of ours */
	struct page *page;     /* what goes to the lower file; freed with the slot */
	int state;
	struct scatterlist src, dst;
	u8 iv[ECRYPTFS_MAX_IV_BYTES] __aligned(8);
	/* Last: followed by the cipher's own part. */
	struct skcipher_request req CRYPTO_MINALIGN_ATTR;
};

/* Lives until the last of its requests is complete and its maker has put it. */
struct ecryptfs_batch {
	refcount_t refs;
	wait_queue_head_t wait;
	struct ecryptfs_batch_slot *awaited; /* the one that its maker waits for: no other wakes it */
	struct inode *inode;
	struct file *lower; /* with a reference, until its maker puts it */
	struct crypto_skcipher *tfm;
	struct bio_vec *vec;
	unsigned int count, room;
	struct ecryptfs_batch_slot *slot[];
};

extern struct address_space_operations ecryptfs_batch_aops;
extern struct file_operations ecryptfs_batch_fops;
void ecryptfs_batch_init(void);
void ecryptfs_batch_read_ahead(struct super_block *sb);

bool ecryptfs_batch_takes(struct inode *inode);
struct ecryptfs_batch *ecryptfs_batch_start(struct inode *inode, size_t pages);
struct ecryptfs_batch_slot *ecryptfs_batch_add(struct ecryptfs_batch *batch);
void ecryptfs_batch_submit(struct ecryptfs_batch_slot *slot, pgoff_t index,
			   struct page *src, struct page *dst, int rw);
int ecryptfs_batch_wait(struct ecryptfs_batch_slot *slot);
unsigned int ecryptfs_batch_lower(struct ecryptfs_batch *batch, unsigned int first,
				  unsigned int pages, pgoff_t index, int rw);
void ecryptfs_batch_put(struct ecryptfs_batch *batch);

void ecryptfs_batch_readahead(struct readahead_control *rac);
int ecryptfs_batch_writepages(struct address_space *mapping, struct writeback_control *wbc);
ssize_t ecryptfs_batch_write_iter(struct kiocb *iocb, struct iov_iter *from);

#endif
