"""The vectors that the Python package shares with the C# library."""

import base64
import json
import re

import quickq
from quickq import ssec
from quickq.template import TopicTemplate
from spools import SpoolTest, vectors


def body_of(vector):
    return base64.b64decode(vector["bodyBase64"]) if "bodyBase64" in vector else vector.get("body", "").encode()


class MessageVectors(SpoolTest):

    def publish(self, message):
        return self.spool.publish(
            body_of(message), message.get("routingKey", ""), message.get("exchange"), headers=message.get("headers"),
            content_type=message["contentType"], ttl=message.get("ttlSeconds"), priority=message.get("priority"),
            message_id=message.get("id"), transient=message.get("transient", False))

    def prepare(self, vector):
        self.run_sql("DELETE FROM message")
        self.run_sql("DELETE FROM unassigned")
        for message in vector.get("before", []):
            self.publish(message)
        for name, value in vector.get("settings", {}).items():
            self.run_sql("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", name, value)
        if "userVersion" in vector:
            self.run_sql("PRAGMA user_version={}".format(vector["userVersion"]))

    def each(self, name, check):
        """One spool for all: it is emptied, and its settings are put back, between them."""
        self.make_spool()
        usual = self.rows("SELECT name, value FROM setting")
        for vector in vectors("messages.json")[name]:
            with self.subTest(vector["name"]):
                self.prepare(vector)
                try:
                    check(vector)
                finally:
                    self.run_sql("DELETE FROM setting")
                    for row in usual:
                        self.run_sql("INSERT INTO setting (name, value) VALUES (?, ?)", *row)
                    self.run_sql("PRAGMA user_version={}".format(dict(usual)["format"]))

    def test_a_message_is_stored_as_the_vector_says(self):
        def check(vector):
            message_id = self.publish(vector["message"])
            (row,) = self.rows(
                "SELECT exchange, routing_key, properties, body, expires_at - created_at FROM message WHERE id = ?", message_id)
            expected = vector["row"]
            self.assertEqual(expected.get("id", message_id), message_id)
            self.assertEqual((expected["exchange"], expected["routing_key"]), row[:2])
            self.assertEqual(repr(sort(expected["properties"])), repr(sort(json.loads(row[2]))))
            self.assertEqual(body_of(expected), row[3])
            self.assertEqual(expected.get("lifetime"), row[4])
            if "rows" in vector:
                self.assertEqual(vector["rows"], self.count())
        self.each("stored", check)

    def test_a_message_is_refused_as_the_vector_says_and_nothing_is_stored(self):
        def check(vector):
            before = self.count()
            with self.assertRaises((quickq.SpoolError, ValueError)) as caught:
                self.publish(vector["message"])
            self.assertEqual(vector["fault"], caught.exception.fault)
            pattern = re.sub(r"\\{[a-z]+\\}", "[0-9.]+ ([KMG]iB|bytes)", re.escape(vector["error"].replace("{path}", self.path)))
            self.assertRegex(caught.exception.message, "^" + pattern + "$")
            self.assertEqual(before, self.count())
        self.each("refused", check)


class TopicVectors(SpoolTest):

    def test_each_payload_gives_its_topic_or_its_error(self):
        for vector in vectors("topics.json")["derived"]:
            with self.subTest(vector["payload"]):
                if "error" in vector:
                    with self.assertRaises(ValueError) as caught:
                        ssec.topic_for(vector["payload"])
                    self.assertEqual(vector["error"], str(caught.exception))
                else:
                    self.assertEqual(vector["topic"], ssec.topic_for(vector["payload"]))
                    self.assertEqual(vector.get("unusual", []), ssec.validate_topic(vector["topic"]))

    def test_each_topic_is_judged_as_the_vector_says(self):
        for vector in vectors("topics.json")["validated"]:
            with self.subTest(vector["topic"]):
                if "error" in vector:
                    with self.assertRaises(ValueError) as caught:
                        ssec.validate_topic(vector["topic"])
                    self.assertEqual(vector["error"], str(caught.exception))
                else:
                    self.assertEqual(vector["unusual"], ssec.validate_topic(vector["topic"]))


class TemplateVectors(SpoolTest):

    def setUp(self):
        super().setUp()
        self.table = vectors("templates.json")

    def test_each_template_gives_its_key(self):
        for vector in self.table["expanded"]:
            with self.subTest(vector["template"]):
                self.assertEqual(vector["key"], TopicTemplate(vector["template"])(self.table["payload"]))

    def test_each_wrong_one_gives_its_error(self):
        for vector in self.table["refused"]:
            with self.subTest(vector["template"]):
                with self.assertRaises(quickq.InvalidMessage) as caught:
                    TopicTemplate(vector["template"])(self.table["payload"])
                self.assertEqual((vector["code"], vector["error"]), (caught.exception.code, caught.exception.message))

    def test_a_value_without_a_form_in_json_and_a_payload_that_is_none_are_errors(self):
        for payload in ({"x": object()}, {"x": b"1"}, {}, [], "text", None):
            with self.subTest(payload), self.assertRaises(quickq.InvalidMessage):
                TopicTemplate("{x}")(payload)

    def test_a_template_is_the_key_of_many(self):
        self.make_spool()
        self.spool.publish_many([{"band": "8"}, {"band": "13"}], TopicTemplate("b.{band:>03}"))
        self.assertEqual([("b.008",), ("b.013",)], self.rows("SELECT routing_key FROM message ORDER BY seq"))


def sort(value):
    return sorted((name, sort(inner)) for name, inner in value.items()) if isinstance(value, dict) else value
