/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api/search: the vector forms of TLB1's page compare.  Each answers the
 * same question, which entries have a page that holds an address, valid or
 * not; hw/tlb tests the tags of those few.  An entry's page number is what
 * is left of MAS2 and of the address above the page size of its MAS1, and no
 * page is finer than 4 KiB (mmu-hardware 4.5, 5).
 */
#include "search.h"

#include "../hw/regs.h"

#define SHIFT_FIELD (MAS1_TSIZE_MASK >> MAS1_TSIZE_SHIFT)
#define SHIFT_BASE 10		/* log2 of the unit of TSIZE, 1 KiB */
#define SHIFT_LEAST 12

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f,avx512vl"))) static uint64_t page_hits_avx512(const struct pyexit_htlb1 *tlb,
									      uint32_t entries, uint64_t ea)
{
	const __m512i address = _mm512_set1_epi64((int64_t)ea);
	uint64_t hits = 0;

	for (uint32_t i = 0; i < entries; i += 8) {
		__m256i tsize = _mm256_srli_epi32(_mm256_loadu_si256((const void *)&tlb->mas1[i]), MAS1_TSIZE_SHIFT);
		__m256i shift = _mm256_add_epi32(_mm256_and_si256(tsize, _mm256_set1_epi32(SHIFT_FIELD)),
						 _mm256_set1_epi32(SHIFT_BASE));
		__m512i count = _mm512_cvtepu32_epi64(_mm256_max_epu32(shift, _mm256_set1_epi32(SHIFT_LEAST)));
		__m512i differ = _mm512_xor_si512(_mm512_loadu_si512(&tlb->mas2[i]), address);
		__m512i page = _mm512_srlv_epi64(differ, count);

		hits |= (uint64_t)_mm512_testn_epi64_mask(page, page) << i;
	}
	return hits;
}

__attribute__((target("avx2"))) static uint64_t page_hits_avx2(const struct pyexit_htlb1 *tlb, uint32_t entries,
								uint64_t ea)
{
	const __m256i address = _mm256_set1_epi64x((int64_t)ea);
	uint64_t hits = 0;

	for (uint32_t i = 0; i < entries; i += 4) {
		__m128i tsize = _mm_srli_epi32(_mm_loadu_si128((const void *)&tlb->mas1[i]), MAS1_TSIZE_SHIFT);
		__m128i shift = _mm_add_epi32(_mm_and_si128(tsize, _mm_set1_epi32(SHIFT_FIELD)),
					      _mm_set1_epi32(SHIFT_BASE));
		__m256i count = _mm256_cvtepu32_epi64(_mm_max_epu32(shift, _mm_set1_epi32(SHIFT_LEAST)));
		__m256i differ = _mm256_xor_si256(_mm256_loadu_si256((const void *)&tlb->mas2[i]), address);
		__m256i equal = _mm256_cmpeq_epi64(_mm256_srlv_epi64(differ, count), _mm256_setzero_si256());

		hits |= (uint64_t)(uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(equal)) << i;
	}
	return hits;
}

static uint64_t page_mask(uint32_t mas1)
{
	uint32_t shift = (mas1 >> MAS1_TSIZE_SHIFT & SHIFT_FIELD) + SHIFT_BASE;

	return UINT64_MAX << (shift < SHIFT_LEAST ? SHIFT_LEAST : shift);
}

/* SSE has no shift by lanes: the masks are made one by one. */
__attribute__((target("sse4.1"))) static uint64_t page_hits_sse41(const struct pyexit_htlb1 *tlb, uint32_t entries,
								   uint64_t ea)
{
	const __m128i address = _mm_set1_epi64x((int64_t)ea);
	uint64_t hits = 0;

	for (uint32_t i = 0; i < entries; i += 2) {
		__m128i mask = _mm_set_epi64x((int64_t)page_mask(tlb->mas1[i + 1]), (int64_t)page_mask(tlb->mas1[i]));
		__m128i differ = _mm_xor_si128(_mm_loadu_si128((const void *)&tlb->mas2[i]), address);
		__m128i equal = _mm_cmpeq_epi64(_mm_and_si128(differ, mask), _mm_setzero_si128());

		hits |= (uint64_t)(uint32_t)_mm_movemask_pd(_mm_castsi128_pd(equal)) << i;
	}
	return hits;
}

page_hits_t *pyexit_page_hits(uint32_t search)
{
	switch (search) {
	case PYEXIT_SEARCH_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") ? page_hits_avx512 : 0;
	case PYEXIT_SEARCH_AVX2:
		return __builtin_cpu_supports("avx2") ? page_hits_avx2 : 0;
	case PYEXIT_SEARCH_SSE41:
		return __builtin_cpu_supports("sse4.1") ? page_hits_sse41 : 0;
	default:
		return 0;
	}
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static uint64_t page_hits_neon(const struct pyexit_htlb1 *tlb, uint32_t entries, uint64_t ea)
{
	const uint64x2_t address = vdupq_n_u64(ea);
	uint64_t hits = 0;

	for (uint32_t i = 0; i < entries; i += 2) {
		uint32x2_t tsize = vand_u32(vshr_n_u32(vld1_u32(&tlb->mas1[i]), MAS1_TSIZE_SHIFT),
					    vdup_n_u32(SHIFT_FIELD));
		uint32x2_t shift = vmax_u32(vadd_u32(tsize, vdup_n_u32(SHIFT_BASE)), vdup_n_u32(SHIFT_LEAST));
		int64x2_t right = vnegq_s64(vreinterpretq_s64_u64(vmovl_u32(shift)));
		uint64x2_t page = vshlq_u64(veorq_u64(vld1q_u64(&tlb->mas2[i]), address), right);
		uint64x2_t equal = vceqzq_u64(page);

		hits |= (vgetq_lane_u64(equal, 0) & 1) << i | (vgetq_lane_u64(equal, 1) & 1) << (i + 1);
	}
	return hits;
}

page_hits_t *pyexit_page_hits(uint32_t search)
{
	return search == PYEXIT_SEARCH_NEON ? page_hits_neon : 0;
}

#else

page_hits_t *pyexit_page_hits(uint32_t search)
{
	(void)search;
	return 0;
}

#endif

/* Best first; a vector never reads past the array, which has the most entries that a TLB1 can have. */
uint32_t pyexit_best_search(void)
{
	static const uint32_t searches[] = { PYEXIT_SEARCH_AVX512, PYEXIT_SEARCH_AVX2, PYEXIT_SEARCH_SSE41,
					     PYEXIT_SEARCH_NEON };

	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++)
		if (pyexit_page_hits(searches[i]))
			return searches[i];
	return PYEXIT_SEARCH_SCALAR;
}
