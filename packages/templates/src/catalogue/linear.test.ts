import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { linear } from './linear.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: linear,
    domains: ['linear.app'],
    lines: [
      ['POST', '/graphql', 'graphql'],
      ['DELETE', '/graphql', 'other.write'],
      ['POST', '/oauth/token', 'credentials.write'],
      ['POST', '/oauth/revoke', 'credentials.write'],
      ['GET', '/graphql', null],
    ],
  });
  expect(faults).toEqual([]);
});
