import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { gmail } from './gmail.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: gmail,
    domains: ['developers.google.com'],
    lines: [
      ['GET', '/gmail/v1/users/me/profile', 'profile.read'],
      ['GET', '/gmail/v1/users/me/labels', 'labels.read'],
      ['GET', '/gmail/v1/users/me/messages?q=is:unread', 'messages.read'],
      ['GET', '/gmail/v1/users/me/messages/18c5f0a1/attachments/ANGjdJ8', 'messages.read'],
      ['GET', '/gmail/v1/users/me/threads/18c5f0a1', 'messages.read'],
      ['GET', '/gmail/v1/users/me/history?startHistoryId=12345', 'messages.read'],
      ['GET', '/gmail/v1/users/me/drafts/r-42', 'drafts.read'],
      ['GET', '/gmail/v1/users/me/settings/filters', 'settings.read'],
      ['POST', '/gmail/v1/users/me/drafts', 'drafts.create'],
      ['POST', '/upload/gmail/v1/users/me/drafts?uploadType=multipart', 'drafts.create'],
      ['PUT', '/gmail/v1/users/me/drafts/r-42', 'drafts.update'],
      ['DELETE', '/gmail/v1/users/me/drafts/r-42', 'drafts.delete'],
      ['POST', '/gmail/v1/users/me/messages/send', 'messages.send'],
      ['POST', '/gmail/v1/users/me/messages/send/', 'messages.send'],
      ['POST', '/upload/gmail/v1/users/me/messages/send?uploadType=media', 'messages.send'],
      ['POST', '/resumable/upload/gmail/v1/users/me/messages/send?uploadType=resumable', 'messages.send'],
      ['POST', '/gmail/v1/users/someone@example.com/drafts/send', 'messages.send'],
      ['POST', '/gmail/v1/users/me/messages/18c5f0a1/modify', 'messages.modify'],
      ['POST', '/gmail/v1/users/me/threads/18c5f0a1/trash', 'messages.modify'],
      ['POST', '/gmail/v1/users/me/messages/batchModify', 'messages.modify'],
      ['DELETE', '/gmail/v1/users/me/messages/18c5f0a1', 'messages.delete'],
      ['DELETE', '/gmail/v1/users/me/threads/18c5f0a1/', 'messages.delete'],
      ['POST', '/gmail/v1/users/me/messages/batchDelete', 'messages.delete'],
      ['POST', '/gmail/v1/users/me/messages/import', 'messages.insert'],
      ['POST', '/upload/gmail/v1/users/me/messages', 'messages.insert'],
      ['PATCH', '/gmail/v1/users/me/labels/Label_1', 'labels.write'],
      ['DELETE', '/gmail/v1/users/me/labels/Label_1', 'labels.delete'],
      ['PUT', '/gmail/v1/users/me/settings/vacation', 'vacation.write'],
      ['POST', '/gmail/v1/users/me/settings/filters', 'forwarding.write'],
      ['PUT', '/gmail/v1/users/me/settings/autoForwarding', 'forwarding.write'],
      ['POST', '/gmail/v1/users/me/settings/delegates', 'forwarding.write'],
      ['PATCH', '/gmail/v1/users/me/settings/sendAs/me@example.com', 'aliases.write'],
      ['POST', '/gmail/v1/users/me/watch', 'watch.write'],
      ['POST', '/batch/gmail/v1', 'batch'],
      ['PUT', '/gmail/v1/users/me/settings/language', 'other.write'],
      ['POST', '/gmail/v1/users/me/settings/cse/keypairs/ABC:obliterate', 'other.write'],
      ['POST', '/gmail/v1/users/me/messages%2Fsend', 'other.write'],
      ['GET', '/discovery/v1/apis', null],
    ],
  });
  expect(faults).toEqual([]);
});
