import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { googleCalendar } from './google-calendar.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: googleCalendar,
    domains: ['developers.google.com'],
    lines: [
      ['GET', '/calendar/v3/calendars/primary', 'calendars.read'],
      ['GET', '/calendar/v3/users/me/calendarList', 'calendars.read'],
      [
        'GET',
        '/calendar/v3/calendars/team@group.calendar.google.com/events?timeMin=2026-01-01T00:00:00Z',
        'events.read',
      ],
      ['GET', '/calendar/v3/calendars/primary/events/eventId/instances', 'events.read'],
      ['POST', '/calendar/v3/freeBusy', 'freebusy.read'],
      ['GET', '/calendar/v3/calendars/primary/acl', 'acl.read'],
      ['POST', '/calendar/v3/calendars/primary/events?sendUpdates=all', 'events.create'],
      ['POST', '/calendar/v3/calendars/primary/events/quickAdd?text=Lunch', 'events.create'],
      ['POST', '/calendar/v3/calendars/primary/events/import', 'events.import'],
      ['PATCH', '/calendar/v3/calendars/primary/events/eventId', 'events.update'],
      ['POST', '/calendar/v3/calendars/primary/events/eventId/move?destination=other', 'events.move'],
      ['DELETE', '/calendar/v3/calendars/primary/events/eventId', 'events.delete'],
      ['POST', '/calendar/v3/calendars', 'calendars.create'],
      ['PATCH', '/calendar/v3/calendars/primary', 'calendars.update'],
      ['DELETE', '/calendar/v3/calendars/team@group.calendar.google.com', 'calendars.delete'],
      ['DELETE', '/calendar/v3/calendars/team@group.calendar.google.com/', 'calendars.delete'],
      ['POST', '/calendar/v3/calendars/primary/clear', 'calendars.clear'],
      ['POST', '/calendar/v3/calendars/primary/acl', 'acl.write'],
      ['PATCH', '/calendar/v3/calendars/primary/acl/user:someone@example.com', 'acl.write'],
      ['DELETE', '/calendar/v3/calendars/primary/acl/default', 'acl.write'],
      ['POST', '/calendar/v3/calendars/primary/transferOwnership', 'calendars.transfer'],
      ['POST', '/calendar/v3/users/me/calendarList', 'subscriptions.add'],
      ['DELETE', '/calendar/v3/users/me/calendarList/team@group.calendar.google.com', 'subscriptions.update'],
      ['POST', '/calendar/v3/calendars/primary/events/watch', 'channels.write'],
      ['POST', '/calendar/v3/calendars/primary/acl/watch', 'channels.write'],
      ['POST', '/calendar/v3/channels/stop', 'channels.write'],
      ['POST', '/batch/calendar/v3', 'batch'],
      // Not of today's API, whose writes all have a name.
      ['DELETE', '/calendar/v3/users/me/settings/timezone', 'other.write'],
      ['GET', '/drive/v3/files', null],
    ],
  });
  expect(faults).toEqual([]);
});
