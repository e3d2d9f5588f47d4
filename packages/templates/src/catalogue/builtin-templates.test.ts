import { compileActions } from '@postern/policy';
import { describe, expect, it } from 'vitest';
import { BUILTIN_TEMPLATES } from './builtin-templates.ts';

const PROVIDERS = [
  ...[
    'github',
    'gitlab',
    'slack',
    'stripe',
    'openai',
    'anthropic',
    'gmail',
    'google-calendar',
    'jira',
    'linear',
    'notion',
  ],
  ...['pagerduty', 'twilio', 'sendgrid', 'aws-s3', 'json-api'],
];

describe('the built-in templates', () => {
  it('are one first version of each provider', () => {
    expect(BUILTIN_TEMPLATES.map(({ name, version }) => `${name}@${version}`)).toEqual(
      PROVIDERS.map((name) => `${name}@1`),
    );
  });

  it.each(BUILTIN_TEMPLATES)('let every change that they do not name ask: $name', ({ actions, baseUrl }) => {
    const actionOf = compileActions(actions);
    const base = new URL(baseUrl).pathname.replace(/\/$/, '');
    const isNamed = actions.some(({ name }) => name === 'other.write');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const path of [`${base}/never/heard/of`, `${base}/never/heard/of/`, '/Never//heard/of', '/never', '/']) {
        expect(['required', ...(isNamed ? [] : [undefined])]).toContain(actionOf(method, path)?.approval);
      }
    }
  });

  it.each(BUILTIN_TEMPLATES)('say for each field of a limit when it counts: $name', ({ limitSignals }) => {
    expect(limitSignals.length).toBeGreaterThan(0);
    for (const { when, wait } of limitSignals) {
      // Every answer has the count of what is left; it means a limit only when that is nothing.
      if (wait?.as.startsWith('epoch')) expect(when?.equals).toBe('0');
    }
  });
});
