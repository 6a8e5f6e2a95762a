//! The order among equals that Go's `sort.Slice` leaves: Harbor takes the first K of it (J15).
//!
//! Up to 12 elements it is the order of the listing. Beyond that it is what a pattern-defeating quicksort (O. Peters,
//! arXiv 2106.05123) with Go's choice of pivots happens to leave; no contract says so, and another release of Go may leave
//! another. What hangs on it is told apart (see `ties`); this only makes the reported rows those of the real run.

/// So few are sorted by insertion.
const INSERTION: usize = 12;

/// From so many on a pivot is the median of three medians, and nearly sorted ranges are mended.
const LONG: usize = 50;

/// Sorts as Go does.
pub(super) fn sort<T>(items: &mut [T], less: &dyn Fn(&T, &T) -> bool) {
    let bad_pivots = usize::BITS - items.len().leading_zeros();
    let end = items.len();
    Sorter { items, less }.quick(0, end, bad_pivots);
}

/// Half-open ranges of the same items throughout: comparing with what lies before a range is part of the algorithm.
struct Sorter<'a, T> {
    items: &'a mut [T],
    less: &'a dyn Fn(&T, &T) -> bool,
}

/// What looking for a pivot tells of a range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trend {
    Unknown,
    Rising,
    Falling,
}

impl<T> Sorter<'_, T> {
    fn is_less(&self, a: usize, b: usize) -> bool {
        (self.less)(&self.items[a], &self.items[b])
    }

    fn quick(&mut self, mut start: usize, mut end: usize, mut bad_pivots: u32) {
        let (mut was_balanced, mut was_parted) = (true, true);
        loop {
            let length = end - start;
            if length <= INSERTION {
                return self.insertion(start, end);
            }
            if bad_pivots == 0 {
                return self.heap(start, end);
            }
            if !was_balanced {
                self.scatter(start, end);
                bad_pivots -= 1;
            }
            let (mut pivot, mut trend) = self.pivot(start, end);
            if trend == Trend::Falling {
                self.items[start..end].reverse();
                pivot = (end - 1) - (pivot - start);
                trend = Trend::Rising;
            }
            if was_balanced && was_parted && trend == Trend::Rising && self.mend(start, end) {
                return;
            }
            if start > 0 && !self.is_less(start - 1, pivot) {
                start = self.part_equal(start, end, pivot);
                continue;
            }
            let (middle, is_parted) = self.part(start, end, pivot);
            was_parted = is_parted;
            let (left, right) = (middle - start, end - middle);
            was_balanced = left.min(right) >= length / 8;
            if left < right {
                self.quick(start, middle, bad_pivots);
                start = middle + 1;
            } else {
                self.quick(middle + 1, end, bad_pivots);
                end = middle;
            }
        }
    }

    fn insertion(&mut self, start: usize, end: usize) {
        for next in start + 1..end {
            self.sink(next, start);
        }
    }

    /// Moves an item down as far as it is less, to the floor at most.
    fn sink(&mut self, mut at: usize, floor: usize) {
        while at > floor && self.is_less(at, at - 1) {
            self.items.swap(at, at - 1);
            at -= 1;
        }
    }

    fn heap(&mut self, start: usize, end: usize) {
        let length = end - start;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift(start, root, length);
        }
        for last in (0..length).rev() {
            self.items.swap(start, start + last);
            self.sift(start, 0, last);
        }
    }

    fn sift(&mut self, start: usize, mut root: usize, length: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= length {
                return;
            }
            if child + 1 < length && self.is_less(start + child, start + child + 1) {
                child += 1;
            }
            if !self.is_less(start + root, start + child) {
                return;
            }
            self.items.swap(start + root, start + child);
            root = child;
        }
    }

    /// Exchanges three items in the middle with others, chosen by a generator that the length seeds.
    fn scatter(&mut self, start: usize, end: usize) {
        let length = end - start;
        let mut random = length as u64;
        let mask = (1_u64 << (usize::BITS - length.leading_zeros())) - 1;
        let middle = start + length / 4 * 2;
        for at in middle - 1..=middle + 1 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let other = usize::try_from(random & mask).unwrap_or(0);
            let other = if other >= length { other - length } else { other };
            self.items.swap(at, start + other);
        }
    }

    /// A median of three, or of three medians; how often something had to change places for it tells the trend.
    fn pivot(&self, start: usize, end: usize) -> (usize, Trend) {
        let length = end - start;
        let mut swaps = 0;
        let mut at = [1, 2, 3].map(|quarter| start + length / 4 * quarter);
        if length >= LONG {
            at = at.map(|at| self.median([at - 1, at, at + 1], &mut swaps));
        }
        let pivot = self.median(at, &mut swaps);
        let trend = match swaps {
            0 => Trend::Rising,
            12 => Trend::Falling,
            _ => Trend::Unknown,
        };
        (pivot, trend)
    }

    fn median(&self, [mut a, mut b, mut c]: [usize; 3], swaps: &mut u32) -> usize {
        let mut order = |low: &mut usize, high: &mut usize| {
            if self.is_less(*high, *low) {
                *swaps += 1;
                std::mem::swap(low, high);
            }
        };
        order(&mut a, &mut b);
        order(&mut b, &mut c);
        order(&mut a, &mut b);
        b
    }

    /// Whether the range is sorted once a few items that stand wrong are moved.
    fn mend(&mut self, start: usize, end: usize) -> bool {
        let mut at = start + 1;
        for _ in 0..5 {
            while at < end && !self.is_less(at, at - 1) {
                at += 1;
            }
            if at == end {
                return true;
            }
            if end - start < LONG {
                return false;
            }
            self.items.swap(at, at - 1);
            if at - start >= 2 {
                self.sink(at - 1, 0);
            }
            if end - at >= 2 {
                for next in at + 1..end {
                    if !self.is_less(next, next - 1) {
                        break;
                    }
                    self.items.swap(next, next - 1);
                }
            }
        }
        false
    }

    /// Less than the pivot to the left, the rest to the right; and whether it was so already.
    fn part(&mut self, start: usize, end: usize, pivot: usize) -> (usize, bool) {
        self.items.swap(start, pivot);
        let (mut low, mut high) = (start + 1, end - 1);
        let mut is_parted = true;
        loop {
            while low <= high && self.is_less(low, start) {
                low += 1;
            }
            while low <= high && !self.is_less(high, start) {
                high -= 1;
            }
            if low > high {
                self.items.swap(high, start);
                return (high, is_parted);
            }
            is_parted = false;
            self.items.swap(low, high);
            low += 1;
            high -= 1;
        }
    }

    /// What equals the pivot to the left, what is greater to the right; nothing is less.
    fn part_equal(&mut self, start: usize, end: usize, pivot: usize) -> usize {
        self.items.swap(start, pivot);
        let (mut low, mut high) = (start + 1, end - 1);
        loop {
            while low <= high && !self.is_less(start, low) {
                low += 1;
            }
            while low <= high && self.is_less(start, high) {
                high -= 1;
            }
            if low > high {
                return low;
            }
            self.items.swap(low, high);
            low += 1;
            high -= 1;
        }
    }
}
