import type { ApiNotification } from '@postern/client';
import { describe, expect, test } from 'vitest';
import { checkNotifications } from './check-notifications.ts';

function endpointWith(change: Partial<ApiNotification> = {}): ApiNotification {
  const stamps = { origin: 'api', createdAt: '', updatedAt: '' } as const;
  const url = 'https://hooks.example.com/postern';
  return { id: 'n-1', url, secret: 'webhook', events: ['approval.created'], state: 'active', ...stamps, ...change };
}

describe('notifications', () => {
  test('with a secret for all environments are in order', () => {
    expect(checkNotifications([endpointWith()], [{ name: 'webhook' }])).toEqual([]);
  });

  test('without their secret are broken', () => {
    expect(checkNotifications([endpointWith()], [{ name: 'other' }])).toMatchObject([
      { status: 'broken', code: 'secret-missing', about: 'notifications to hooks.example.com' },
    ]);
  });

  test('with a secret of some environments are doubted, and broken once one could not be signed', () => {
    const secrets = [{ name: 'webhook', environments: ['prod'] }];
    expect(checkNotifications([endpointWith()], secrets)).toMatchObject([
      { status: 'warning', code: 'environment-mismatch', remedy: expect.stringContaining('POSTERN_ENVIRONMENT=prod') },
    ]);
    expect(checkNotifications([endpointWith({ lastError: 'secret_unavailable' })], secrets)).toMatchObject([
      { status: 'broken', code: 'environment-mismatch' },
    ]);
    expect(checkNotifications([endpointWith({ lastError: 'status_500' })], secrets)).toMatchObject([
      { status: 'warning' },
    ]);
  });
});
