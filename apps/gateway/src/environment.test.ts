import { describe, expect, test } from 'vitest';
import { checkVariableNames, ENVIRONMENT_VARIABLES, EnvironmentError } from './environment.ts';

describe('names of variables', () => {
  test('of the specification that a later version reads are refused, not ignored', () => {
    for (const name of ['POSTERN_HUB_URL', 'POSTERN_ENROL_TOKEN']) {
      expect(() => checkVariableNames({ [name]: 'x' })).toThrow(EnvironmentError);
      expect(() => checkVariableNames({ [name]: 'x' })).toThrow(name);
      expect(checkVariableNames({ [name]: '' })).toEqual([]);
      expect(checkVariableNames({ [name]: undefined })).toEqual([]);
    }
  });

  test('that look like ours and are not known are told', () => {
    expect(checkVariableNames({ POSTERN_LISTN: 'x', POSTERN_: 'y', postern_listen: 'z', HOME: '/' })).toEqual([
      'POSTERN_LISTN',
      'POSTERN_',
    ]);
  });

  test('that are read are known', () => {
    const all = Object.fromEntries(ENVIRONMENT_VARIABLES.map(({ name }) => [name, 'x']));
    expect(checkVariableNames(all)).toEqual([]);
    expect(checkVariableNames({ POSTERN_ADMIN_URL: 'http://x' })).toEqual([]);
  });

  test('are listed once, each with what it means', () => {
    const names = ENVIRONMENT_VARIABLES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, description } of ENVIRONMENT_VARIABLES) {
      expect(name).toMatch(/^(POSTERN|OTEL)_[A-Z_]+$/);
      expect(description).toMatch(/\w{2,}/);
    }
  });
});
