import { expect, test } from 'vitest';
import { unheardRisk } from './merge-score.ts';

test.each([
  [0, 0.3],
  [0.1, 0.4],
  [0.3, 0.6],
  [0.4, 0.7],
  [0.6, 0.9],
  [0.7, 1],
  [0.8, 1],
  [1, 1],
])('a scorer that is silent makes %d to %d', (score, raised) => {
  expect(unheardRisk({ score, labels: ['pii'], factors: [] })).toEqual({
    score: raised,
    labels: ['scorer_unavailable'],
  });
});
