/** One figure over the rounds of a run. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without values. */
export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((left, right) => left - right);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new RangeError('a figure needs at least one round');
  const middle = Math.floor((sorted.length - 1) / 2);
  const median = ((sorted[middle] ?? min) + (sorted[sorted.length - 1 - middle] ?? min)) / 2;
  return { median, min, max };
}

/** How far the rounds lie apart. */
export function spreadOf(figure: Figure): number {
  return figure.max - figure.min;
}

/** True when the medians of both lie no further apart than the rounds of the more restless one. */
export function differWithinSpread(left: Figure, right: Figure): boolean {
  return Math.abs(left.median - right.median) <= Math.max(spreadOf(left), spreadOf(right));
}
