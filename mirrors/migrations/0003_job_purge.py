from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mirrors", "0002_store_findings")]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("precompress", "precompressed copies of a document"),
                    ("precompress-best", "smaller precompressed copies of a document"),
                    ("purge", "tell caches what a publication changed"),
                ],
                max_length=30,
            ),
        ),
    ]
